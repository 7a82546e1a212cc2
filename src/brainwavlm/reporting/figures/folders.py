"""What lies at a path, and the runs of evaluations that a figure is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.choice import Choice
from brainwavlm.reporting.figures.kinds import KINDS, MAKERS, Kind
from brainwavlm.reporting.page.wording import run_labels
from brainwavlm.results.open import RESULTS, Made, made_at, open_result, within_run
from brainwavlm.results.run_voxels import RunVoxels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from brainwavlm.reporting.figures.style import Canvas


@dataclass(frozen=True)
class Place:
    """A folder, and which command made it."""

    made: Made
    path: Path

    @cached_property
    def result(self) -> Any:
        """What is there: a result, or the findings of a study so far."""
        if self.made != "study":
            return open_result(self.path)
        from brainwavlm.study.claims.table import claims_of
        from brainwavlm.study.folder import open_study

        return claims_of(open_study(self.path))


class Shown(NamedTuple):
    """What a figure shows: exactly its values, in long form; whether any response behind them is simulated.

    `draw` makes the figure while the canvas's style is applied; a table has none, and is in `tex` as LaTeX.
    """

    values: pd.DataFrame
    simulated: bool
    draw: "Callable[[Canvas], Figure] | None" = None
    tex: str = ""


@dataclass(frozen=True)
class Scored:
    """One run of an evaluation: in words, different for all runs of a figure; its entry in summary.json."""

    label: str
    entry: Mapping[str, Any]
    results: Any  # of voxels
    readout: str = "voxelwise"
    space: str = ""  # of a partition

    @property
    def name(self) -> str:
        """Its name in the evaluation's tables."""
        return str(self.entry["name"])

    @property
    def voxels(self) -> RunVoxels:
        """Its scores, voxel by voxel, of the readout that is shown; or the unique share of a space."""
        voxels = self.results.of_run(self.name, *[self.space] * bool(self.space))
        return voxels.shared() if self.readout == "shared" else voxels


def place_of(path: str | Path, name: str, kind: Kind) -> Place:
    """The folder that a figure of this kind, and name, is made of: the one at a path, or that within a run there.

    RunError where nothing is there, or the result of another command.
    """
    folder = Path(path)
    made = made_at(folder)
    if made in kind.made_of:
        return Place(made, folder)
    for one in RESULTS if made == "run" else ():
        if one in kind.made_of and (result := within_run(folder, one)):
            return Place(one, result)
    wanted = " or ".join(_with_article(one) for one in kind.made_of)
    remedy = "Make it:  " + "   or   ".join(MAKERS[one] for one in kind.made_of)
    if made is None:
        found, wanted = "no such folder.", f"the folder of {wanted}"
        if folder.is_dir():
            found = "nothing that this program wrote."
    elif made == "run":
        one = next(some for some in kind.made_of if some != "run")
        maker = MAKERS[one].replace(" RUN...", f" {folder}").replace(" RUN", f" {folder}")
        found, remedy = f"a run without {_with_article(one)}.", f"Make it:  {maker}"
    else:
        found, wanted = f"the folder of {_with_article(made)}.", f"that of {wanted}"
        others = ", ".join(other for other, some in KINDS.items() if made in some.made_of)
        remedy += f"   or draw another kind of this folder: {others}." if others else ""
    raise RunError(folder, found, f"{wanted}, for {name}.", remedy)


def scored_runs(places: Sequence[Place], choice: Choice) -> list[Scored]:
    """The runs of evaluations, or those of them that were named.

    RunError where an evaluation is damaged, or two runs have one name; ConfigError where none has a name asked for.
    """
    if len({place.result.tuned for place in places}) > 1:
        found, expected = (
            "models that were tuned and others that were not.",
            "runs of `evaluate`, or what `ridge` wrote.",
        )
        raise RunError(paths_of(places), found, expected, "Draw them apart.")
    runs = chosen_runs(places, choice)
    labels = run_labels([entry for entry, _ in runs])
    readout = choice.readout or "voxelwise"
    return [Scored(labels[entry["name"]], entry, results, readout) for entry, results in runs]


def chosen_runs(places: Sequence[Place], choice: Choice) -> list[tuple[Any, Any]]:
    """Entries of runs in summary.json with their results, of those that were named; errors as of `scored_runs`."""
    runs = [(entry, place.result) for place in places for entry in place.result.runs]
    names = [str(entry["name"]) for entry, _ in runs]
    require_different(names, places)
    chosen = chosen_names("run", choice.run, names)
    return [(entry, one) for entry, one in runs if entry["name"] in chosen]


def any_simulated(runs: Sequence[Scored]) -> bool:
    """Whether any of the responses behind runs are simulated."""
    return any(run.entry["simulated"] for run in runs)


def require_different(names: Sequence[str], places: Sequence[Place]) -> None:
    """RunError where two folders hold runs of one name."""
    for name in (name for name in names if names.count(name) > 1):
        found = f"several runs with the name {name}."
        raise RunError(paths_of(places), found, "a name for each run.", "Draw them one by one.")


def paths_of(places: Iterable[Place]) -> str:
    """For errors."""
    return ", ".join(str(place.path) for place in places)


def chosen_names(option: str, asked: Sequence[str], there: Iterable[str]) -> list[str]:
    """Names that were asked for, or all. ConfigError where one of them is not there."""
    names = list(dict.fromkeys(there))
    for name in asked:
        if name not in names:
            raise ConfigError(option, f"{name!r}.", f"one of {', '.join(names)}.", "Choose one of them.")
    return list(dict.fromkeys(asked)) or names


def one_name(option: str, asked: Sequence[str], there: Iterable[str]) -> str:
    """The name that was asked for, or the only one. ConfigError where there are several."""
    first, *others = names = chosen_names(option, asked, there)
    if others:
        listed = ", ".join(names)
        raise ConfigError(option, f"{len(names)} {option}s.", "one of them.", f"Choose one of {listed}.")
    return first


def main_target(targets: Sequence[str]) -> str:
    """Whole cortex where it is there, else the first."""
    return "cortex" if "cortex" in targets else targets[0]


def _with_article(made: str) -> str:
    return made if made == "probes" else f"an {made}" if made == "evaluation" else f"a {made}"
