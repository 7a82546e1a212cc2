"""Commands about runs: demo, plan, tune, runs, show."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

from brainwavlm.cli import options
from brainwavlm.cli.options import argument, option


def demo(
    output: Annotated[Path, option("Folder for runs, scores and the page.")] = Path("demo-output"),
    replace: Annotated[bool, option("--replace", "Remove what an earlier demo left there.")] = False,
    subject: options.SubjectOption = None,
    epochs: Annotated[int | None, option("Epochs of each tuning.")] = None,
) -> None:
    """Do the whole job on the embedded data set: check, plan, tune on cortex and on AC, score, report."""
    from brainwavlm.cli.demo import run_demo

    overrides: dict[str, Any] = {}
    if subject is not None:
        overrides["subject"] = subject
    if epochs is not None:
        overrides["training.epochs"] = epochs
    options.require_output(output)
    run_demo(output, replace, overrides)


def plan(
    config: options.ConfigArgument = None,
    preset: options.PresetOption = None,
    set_: options.SetOption = None,
    subject: options.SubjectOption = None,
    backbone: options.BackboneOption = None,
    layer: options.LayerOption = None,
    target: options.TargetOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    joint: options.JointOption = None,
    json: options.JsonOption = False,
) -> None:
    """Say what a tuning run would do and cost, from a short calibration. Writes nothing."""
    from brainwavlm.cli.console import show_plan
    from brainwavlm.encoding.plan import plan as make_plan

    made = make_plan(options.config_of(config, preset, set_, locals()))
    options.answer(json, made.as_dict(), show_plan, made)


def tune(
    output: options.OutputOption,
    config: options.ConfigArgument = None,
    preset: options.PresetOption = None,
    set_: options.SetOption = None,
    subject: options.SubjectOption = None,
    backbone: options.BackboneOption = None,
    layer: options.LayerOption = None,
    target: options.TargetOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    joint: options.JointOption = None,
    resume: Annotated[
        bool,
        option(
            "--resume",
            "Go on from the last checkpoint in --output; without a file, preset or --set, as it was configured.",
        ),
    ] = False,
) -> None:
    """Fine-tune a speech model on the responses of one subject, or of several together (--joint)."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.encoding.tuning import tune as start
    from brainwavlm.runs.run import open_run

    given = locals()
    options.require_output(output)
    again = resume and config is None and preset is None and not set_
    base = open_run(output).config.model_dump(mode="json") if again else None
    wanted = options.config_of(config, preset, set_, given, base=base)
    typed = shlex.join(["brainwavlm", *sys.argv[1:]])
    run = start(wanted, output, resume=resume, progress=TerminalProgress(), command=typed)
    best = (run.result or {})["best"]
    if best is None:
        print(f"No epoch was asked for; {run.path} holds no tuned model.")
        return
    value = best["validation_r"]
    r = "no validation stories" if value is None else f"validation r {value:.4f}"
    print(f"Best epoch {best['epoch']} ({r}). Next:  brainwavlm evaluate {shlex.quote(str(run.path))}")


def runs(
    folder: Annotated[Path, argument("Where to look.", show_default=True)] = Path(),
    json: options.JsonOption = False,
) -> None:
    """List the runs below a folder: state, age, best validation r, and test r where there is an evaluation."""
    from brainwavlm.cli.show_runs import show_runs
    from brainwavlm.runs.listing import summaries

    rows = summaries(folder)
    options.answer(json, rows, show_runs, rows, folder)


def show(
    folder: Annotated[Path, argument("A run, a study, or what a command wrote.")],
    json: options.JsonOption = False,
) -> None:
    """Show a run: what it was asked to do, how it went, what came out and what to do next. Or a study, or scores."""
    from brainwavlm.cli.show_runs import show_run
    from brainwavlm.results.open import made_at
    from brainwavlm.runs.listing import run_state
    from brainwavlm.runs.provenance import read_provenance
    from brainwavlm.runs.run import open_run

    made = made_at(folder)
    if made == "study":
        from brainwavlm.cli.study import status

        status(folder, json)
        return
    if made not in (None, "run") or (made is None and (folder / "summary.json").is_file()):
        from brainwavlm.cli.show_scores import show_written

        show_written(folder, json)
        return
    opened = open_run(folder)
    if json:
        record = {"state": run_state(opened), "provenance": read_provenance(opened.path)}
        options.print_json({"manifest": opened.manifest, "result": opened.result, **record})
    else:
        show_run(opened)
