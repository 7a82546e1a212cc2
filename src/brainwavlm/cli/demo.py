"""`brainwavlm demo`: the whole job on the embedded data set, saying what it does."""

import shutil
import time
from pathlib import Path
from typing import Any

from brainwavlm.checks import check_dataset
from brainwavlm.cli.console import (
    console,
    show_end,
    show_plan,
    show_report,
    show_ridge,
    show_scores,
    show_sentences,
)
from brainwavlm.cli.progress import TerminalProgress
from brainwavlm.compute import accelerator_for
from brainwavlm.config import load_config
from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.plan import plan
from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import BrainwavlmError, RunError
from brainwavlm.evaluation.evaluate import evaluate, score_backbone
from brainwavlm.reporting.page.evaluation import write_report

MARK = ".brainwavlm-demo"
STEPS_BESIDES = 100  # all but tuning takes as long as so many steps of it, measured on two idle cores


def run_demo(output: Path, replace: bool, overrides: dict[str, Any]) -> Path:
    """Check, plan, ridge on the frozen model, tune on cortex and on AC, evaluate, report.

    Parameters
    ----------
    output : Path
        New folder.
    replace : bool
        Remove what an earlier demo left there; a folder that no demo made is never removed.
    overrides : dict
        Dotted configuration keys over the preset `demo`.

    Returns
    -------
    Path of the page
    """
    began = time.monotonic()
    frontends = output / "frontends"
    overrides = {"training.frontend_folder": str(frontends), **overrides}
    config = load_config(preset="demo", overrides=overrides)
    accelerator_for(config, output)  # refuses several processes, before each makes the same folders
    load_dataset(config.dataset).require_subject(config.subject)
    _make_room(output, replace)
    frontends.mkdir()
    expected = plan(config)
    seconds = 2 * 3600 * expected.hours_of_run + STEPS_BESIDES * expected.seconds_per_step
    show_sentences(
        "The whole method on the embedded data set: check, plan, ridge, tuning on cortex and on auditory cortex, "
        f"scores, one page. About {max(seconds / 60, 1):.0f} minutes on this machine."
    )

    _headline("1", "Check the data set")
    report = check_dataset(config.dataset)
    show_report(report)
    if not report.usable:
        first = next(problem for problem in report.problems if problem.severity == "error")
        raise BrainwavlmError(first.path, first.found, first.expected, first.remedy)

    _headline("2", "Plan: what tuning will do and cost")
    show_plan(expected)

    _headline("3", "How well does the speech model predict as it is? Ridge on frozen features")
    cache = output / "features"
    frozen = score_backbone(config, cache=cache, progress=TerminalProgress(console))
    frozen.save(output / "frozen")
    show_ridge(frozen.summary, output / "frozen")

    runs = []
    for number, (target, why) in enumerate(
        {"cortex": "all voxels", "AC": "the voxels of auditory cortex only"}.items(), start=4
    ):
        _headline(str(number), f"Tune with LoRA on {target}: {why}")
        tuned = load_config(preset="demo", overrides={**overrides, "target": target})
        runs.append(tune(tuned, output / f"tuned-on-{target}", progress=TerminalProgress(console)))

    _headline("6", "Score both on held-out stories: fresh ridge, the same folds for all")
    scores = evaluate(runs, cache=cache, progress=TerminalProgress(console))
    scores.save(output / "evaluation")
    show_scores(scores)
    show_end(scores.summary["notes"], f"Written: {output / 'evaluation'}", "")

    _headline("7", "One page with the table, the learning curves and the maps")
    page = write_report(scores, output / "report.html")
    shutil.rmtree(frontends)  # of use to runs that are still to be made
    minutes = (time.monotonic() - began) / 60
    console.print(
        f"Done in {minutes:.1f} minutes. Open this page in a browser:\n  [bold]{page.resolve()}[/bold]",
        soft_wrap=True,
    )
    console.print(
        "The responses are simulated: the numbers show that the method works, not how brains work.\n"
        "Your own data (after: source .venv/bin/activate):\n"
        "  brainwavlm check FOLDER    # ds003020 as published, or the format of docs/reference/file-formats.md\n"
        "  brainwavlm plan --preset recommended --set dataset=FOLDER --subject NAME\n"
        "  brainwavlm tune --preset recommended --set dataset=FOLDER --subject NAME --output my-run\n"
        "  brainwavlm evaluate my-run && brainwavlm report my-run/evaluation",
        soft_wrap=True,
    )
    return page


def _make_room(output: Path, replace: bool) -> None:
    if output.exists() and any(output.iterdir()):
        if not (replace and (output / MARK).exists()):
            raise RunError(
                output,
                "a folder with files.",
                "a new or empty folder.",
                "Choose another --output, or use --replace.",
            )
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / MARK).touch()


def _headline(number: str, text: str) -> None:
    console.print(f"\n[bold]{number}. {text}[/bold]")
