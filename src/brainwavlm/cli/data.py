"""Commands about data sets: check, targets, features."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from brainwavlm.cli import options
from brainwavlm.cli.options import argument, option


def check(
    dataset: options.DatasetArgument, subject: options.SubjectOption = None, json: options.JsonOption = False
) -> None:
    """Read all of a data set and list everything that is wrong with it. Exit code 0 only when it can be used."""
    from brainwavlm.checks import check_dataset
    from brainwavlm.cli.console import show_report

    report = check_dataset(dataset, subject)
    options.answer(json, report.as_dict(), show_report, report)
    if not report.usable:
        raise typer.Exit(2)


def targets(
    dataset: options.DatasetArgument,
    who: Annotated[str | None, argument("Name of the subject.", metavar="SUBJECT")] = None,
    subject: options.SubjectOption = None,
    config: Annotated[Path | None, option("YAML file of a run, for the regions in it.")] = None,
    set_: options.SetOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the voxel sets of one subject, or of each, with their sizes. Why others are missing goes to stderr."""
    from brainwavlm.cli.console import show_table
    from brainwavlm.datasets import load_dataset
    from brainwavlm.encoding.targets import target_counts, with_regions
    from brainwavlm.errors import ConfigError

    if who is not None and subject is not None and who != subject:
        remedy = "Name it once; without a name all subjects are listed."
        raise ConfigError("--subject", f"{subject}, beside the subject {who}.", "one subject.", remedy)
    loaded = load_dataset(dataset)
    regions = options.config_of(config, None, set_, {}, subject_needed=False).regions
    name = who if who is not None else subject
    rows, missing = [], []
    for each in (name,) if name is not None else loaded.subject_names:
        counts, reasons = target_counts(with_regions(loaded.subject(each), regions))
        rows += [{"subject": each, "target": target, "voxels": count} for target, count in counts.items()]
        missing += [f"{each}, {target}: {reason}" for target, reason in reasons.items()]
    options.answer(json, rows, show_table, rows, f"Targets of {loaded.name}")
    for reason in dict.fromkeys(missing):
        print(reason, file=sys.stderr)


def features(
    dataset: options.DatasetArgument,
    output: options.OutputOption,
    backbone: options.BackboneOption = None,
    subject: options.SubjectOption = None,
    context: options.ContextOption = None,
    stride: options.StrideOption = None,
    frame: options.FrameOption = None,
    device: options.DeviceOption = None,
    preset: options.PresetOption = None,
    set_: options.SetOption = None,
) -> None:
    """Compute the features of all layers for each story once, into a folder that other commands read."""
    from brainwavlm.cli.progress import TerminalProgress
    from brainwavlm.speech.features import extract_dataset

    given = locals()
    options.require_output(output)
    wanted = options.config_of(None, preset, set_, given, subject_needed=False)
    extract_dataset(wanted, output, subject, TerminalProgress())
