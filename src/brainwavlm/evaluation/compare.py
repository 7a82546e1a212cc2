"""Runs against each other: seeds of one configuration as spread, configurations by what differs between them.

The unit is the group: runs that are equal but for their seed. How steady a method is shows in the spread over its
seeds, epoch by epoch; which method is better in the difference of group means on the same test stories. The scores are
those that `evaluate` left: no model is run and no ridge fitted.
"""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from brainwavlm.config import stored_config
from brainwavlm.errors import RunError
from brainwavlm.evaluation.compare_tables import (
    RunScore,
    by_target,
    difference_table,
    epoch_table,
    group_table,
    run_table,
)
from brainwavlm.evaluation.notes import SIMULATED, result_summary
from brainwavlm.results.comparison import Comparison
from brainwavlm.results.estimates import Score, grouped
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.replicates import FILE, OWN_LAYER, READOUTS, Replicates
from brainwavlm.runs.run import Run
from brainwavlm.runs.subject_views import run_names, subject_runs

_PARTS = ("replicates", "ridge_epochs")


class _Source(NamedTuple):
    """A run in an evaluation: by which name, and what the summary says of it."""

    evaluation: Evaluation
    replicates: Replicates
    entry: Mapping[str, Any]


def compare(runs: Run | Sequence[Run], evaluations: Sequence[Evaluation | str | Path] = ()) -> Comparison:
    """Group runs by configuration, and say how steady each group is and how groups differ.

    The scores are those of `evaluate`: fresh ridge on the features of each run's best epoch and on the untuned model's,
    test correlation by target. A difference of groups is that of their means over seeds; all models leave out the same
    test stories in turn, so the interval is paired. It holds for these seeds: the spread over seeds stands beside
    it. Targets are those that all runs of a group were evaluated on.

    Parameters
    ----------
    runs : Run, or sequence of Run
    evaluations : sequence of Evaluation, str or Path
        Where scores of the runs are, beside the evaluations in their own folders.

    Returns
    -------
    Comparison

    Raises
    ------
    RunError
        A run without an evaluation of its best epoch, or with one of an earlier version.
    ConfigError
        No run, or one named twice.
    """
    runs = subject_runs(runs)
    names = run_names(runs)
    groups = grouped([run.config for run in runs], {"seed"})
    group_of = {position: group for group, members in groups.items() for position in members}
    own = dict.fromkeys(run.path / "evaluation" for run in runs)
    opened = [
        one if isinstance(one, Evaluation) else Evaluation.open(one, _PARTS)
        for one in (*evaluations, *(folder for folder in own if (folder / "summary.json").is_file()))
    ]
    scores: list[RunScore] = []
    of_epochs: dict[tuple[str, int, str, str], list[float]] = defaultdict(list)
    units: dict[str, None] = {}
    simulated = False
    for position, (run, name) in enumerate(zip(runs, names, strict=True)):
        source, group = _source(run, opened), group_of[position]
        simulated |= source.entry["simulated"]
        units[source.entry["intervals"]] = None
        scores += _scores(source, run, name, group)
        for epoch in run.history:
            if epoch["validation_r"] is not None:
                of_epochs[group, epoch["epoch"], "validation", run.config.target].append(
                    epoch["validation_r"]
                )
        by_epoch = source.evaluation.ridge_epochs
        for row in by_epoch[by_epoch["run"] == source.entry["name"]].itertuples() if len(by_epoch) else ():
            of_epochs[group, row.epoch, "ridge", row.target].append(row.r)
    return Comparison(
        run_table(scores),
        group_table(scores),
        epoch_table(of_epochs),
        difference_table(scores),
        _summary(groups, runs, names, scores, list(units), simulated),
    )


def _source(run: Run, evaluations: Sequence[Evaluation]) -> _Source:
    """The evaluation of a run: that of its configuration, its epochs, and the best of them."""
    for evaluation in evaluations:
        for entry in evaluation.runs:
            same = (entry["best"], entry["history"]) == (run.best_epoch, run.history)
            if same and stored_config(entry["config"], str(evaluation.path)) == run.config:
                if evaluation.replicates is None:
                    raise _not_evaluated(run, f"an evaluation without {FILE}")
                return _Source(evaluation, evaluation.replicates, entry)
    raise _not_evaluated(run, "a run without an evaluation of its best epoch")


def _not_evaluated(run: Run, found: str) -> RunError:
    wanted = "scores on test stories that can be paired with those of other runs."
    return RunError(
        run.path, f"{found}.", wanted, f"Make them:  brainwavlm evaluate {shlex.quote(str(run.path))}"
    )


def _scores(source: _Source, run: Run, name: str, group: str) -> list[RunScore]:
    entry, replicates = source.entry, source.replicates
    frozen = entry["frozen"]
    places = {
        (row["target"], row["readout"]): place
        for place, row in enumerate(replicates.about)
        if (row["run"], row["stories"], row["layer"]) == (entry["name"], "all", OWN_LAYER)
    }
    scores = []
    for row in source.evaluation.rows_of(entry["name"]):
        place, shared = (places[row["target"], readout] for readout in READOUTS)
        # The same responses, ridge fitted on the same stories: the untuned model's scores are then the same too.
        rows = (frozen["dataset"], row["subject"], frozen.get("fitted"), replicates.about[place]["rows"])
        seed, same = run.config.seed, repr((*rows, entry["config"].get("regions")))
        of_shared = Score(seed, row["shared_frozen"], row["shared_tuned"], *replicates.of_row(shared), same)
        scores.append(
            RunScore(
                seed,
                row["r_frozen"],
                row["r_tuned"],
                *replicates.of_row(place),
                same,
                shared=of_shared,
                run=name,
                group=group,
                subject=row["subject"],
                target=row["target"],
                n_voxels=row["n_voxels"],
                best_epoch=run.best_epoch["epoch"],
            )
        )
    return scores


def _summary(
    groups: Mapping[str, Sequence[int]],
    runs: Sequence[Run],
    names: Sequence[str],
    scores: Sequence[RunScore],
    units: Sequence[str],
    simulated: bool,
) -> dict[str, Any]:
    notes = [SIMULATED] * simulated
    notes += [f"Intervals over {unit}." for unit in units]
    seeds = {group: [runs[position].config.seed for position in members] for group, members in groups.items()}
    notes += [f"{group}: one seed, so no spread." for group, of_group in seeds.items() if len(of_group) == 1]
    notes += [
        f"{group}: several runs with one seed: their spread is not that over seeds."
        for group, of_group in seeds.items()
        if len(set(of_group)) < len(of_group)
    ]
    complete = by_target(scores)
    partly = dict.fromkeys(
        (score.group, score.target) for score in scores if (score.group, score.target) not in complete
    )
    notes += [f"{group}: not every run was evaluated on {target}: left out." for group, target in partly]
    if len({score.rows for score in scores}) > 1:
        notes.append(
            "Groups that are scored on other stories, voxels or listeners are not subtracted from each other."
        )
    notes += [
        f"{name}: the run is not finished."
        for name, run in zip(names, runs, strict=True)
        if run.result is None
    ]
    return result_summary(
        simulated,
        notes,
        groups=[
            {
                "group": group,
                "runs": [names[position] for position in members],
                "seeds": seeds[group],
                "subject": runs[members[0]].config.subject,
            }
            for group, members in groups.items()
        ],
    )
