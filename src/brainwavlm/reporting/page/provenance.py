"""Where the runs of a page come from: code, data, machine, time, energy and command, as their folders say."""

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brainwavlm.config import RunConfig, flattened
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.page.render import download
from brainwavlm.runs.provenance import energy_of, hours_of, read_provenance
from brainwavlm.runs.run import Run, open_run

Entries = list[tuple[str, str]]
Entry = Mapping[str, Any]  # of `runs` in summary.json
NOT_RECORDED = "not recorded: tuned by a version that kept no record"
NOT_HERE = "not known: the run's folder is not where the evaluation found it, or holds another run"
# Settings that do not touch the scores of an untuned model, or that the command has places for.
_NOT_ASKED = {
    "subject",
    "dataset",
    "adapter",
    "readout",
    "loss",
    "training",
    "control",
    "quirks",
    "joint",
    "device",
}
_PARTS = {"processors": "processors (RAPL)", "accelerators": "graphics processors (NVIDIA's counter)"}


def run_behind(entry: Entry, config: RunConfig) -> Run | None:
    """The run that an entry of summary.json is of, as its subject sees it; None where another is in its folder."""
    if not isinstance(entry.get("path"), str):
        return None
    return next((side for side in open_run(entry["path"]).sides if side.config == config), None)


def origin_entries(entry: Entry, config: RunConfig) -> tuple[Entries, str]:
    """What is recorded of a run, an entry of summary.json, and its files with their checksums as text, if any."""
    try:
        run = run_behind(entry, config)
        recorded = read_provenance(run.path) if run else None
    except (BrainwavlmError, OSError) as error:
        found = f" ({error.found})" if isinstance(error, BrainwavlmError) else ""
        return [("Record", NOT_HERE + found)], ""
    if run is None:
        return [("Record", NOT_HERE)], ""
    checksum = run.manifest["backbone"].get("checksum", "not recorded")
    model = ("Speech model, untuned", f"checksum {checksum}")
    if recorded is None or not recorded["sessions"]:
        return [model, ("Record", NOT_RECORDED)], ""
    return [model, *record_entries(recorded)], file_lines(recorded["files"])


def origins(
    models: Mapping[str, Sequence[Entry]], configs: Mapping[str, RunConfig], titles: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Where each model comes from, and as texts to be downloaded its settings and the files it read.

    `models` are entries of `runs` in summary.json by the label of their model (several are of a joint run), `configs`
    those of the first of each. Returns blocks, with title and entries, and texts, with title, text and file.
    """
    entries = [("Seeds", "; ".join(f"{label}: {runs[0]['seed']}" for label, runs in models.items()))]
    tuned_with = [_pairs(some[0]["tuned_with"]) for some in models.values() if some[0].get("tuned_with")]
    entries += [("Tuned with", versions) for versions in dict.fromkeys(tuned_with)]
    blocks, settings, lists = [{"title": "Where from", "entries": entries}], [], []
    for label, runs in models.items():
        name, config = model_file(runs), configs[label]
        entries, files = origin_entries(runs[0], config)
        blocks.append({"title": titles[label], "entries": entries})
        settings.append(_settings(name, config))
        if files:
            file = download(f"{name}-files.txt", files, "text/plain")
            title = f"Files that run {name} read, with their checksums"
            lists.append({"title": title, "text": files, "file": file})
    return blocks, settings + lists


def rerun_commands(
    models: Mapping[str, Sequence[Entry]], layers: pd.DataFrame, downstream: pd.DataFrame
) -> str:
    """What makes the numbers again, from the settings of each model in a file of its name."""
    names = [model_file(runs) for runs in models.values()]
    evaluate = f"brainwavlm evaluate {' '.join(names)}"
    for option, frame, column in (("layers", layers, "layer"), ("downstream", downstream, "task")):
        if len(frame):
            evaluate += f" --{option} {','.join(map(str, dict.fromkeys(frame[column])))}"
    tune = [f"brainwavlm tune {name}.yaml --output {name}" for name in names]
    return "\n".join([*tune, f"{evaluate} --output evaluation", "brainwavlm report evaluation"])


def untuned_again(run: Entry, config: RunConfig) -> tuple[list[dict[str, Any]], str]:
    """All settings of a model that was scored as it is, as a text to be downloaded, and the command that scores it."""
    name, defaults = model_file([run]), flattened(RunConfig(subject=config.subject))
    given = [
        f"--set {shlex.quote(f'{key}={json.dumps(value)}')}"
        for key, value in flattened(config).items()
        if defaults.get(key) != value and key.split(".")[0] not in _NOT_ASKED
    ]
    given += ["--leave-one-out"] if run["frozen"].get("split") == "leave-one-out" else []
    subject = shlex.quote(config.subject)
    command = " ".join(["brainwavlm ridge FOLDER", f"--subject {subject}", *given, f"--output {name}"])
    return [_settings(name, config)], f"{command}\nbrainwavlm report {name}"


def _settings(name: str, config: RunConfig) -> dict[str, Any]:
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    file = download(f"{name}.yaml", text, "text/yaml")
    return {"title": f"All settings of run {name}", "text": text, "file": file}


def model_file(runs: Sequence[Entry]) -> str:
    """A model's name as part of a command that can be pasted: letters, digits, - and _ only."""
    name = Path(runs[0]["path"] if len(runs) > 1 else runs[0]["name"]).name
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "-" for sign in name)
    return safe.strip("-")[:60] or "run"


def record_entries(recorded: Mapping[str, Any]) -> Entries:
    """The content of provenance.json in words; what differs between sessions is said of each."""

    def of_each(text: Callable[[Mapping[str, Any]], str]) -> str:
        texts = [text(session) for session in recorded["sessions"]]
        if len(set(texts)) == 1:
            return texts[0]
        return "; ".join(f"session {number}: {text}" for number, text in enumerate(texts, start=1))

    return [
        ("Code", of_each(_code)),
        ("Versions", of_each(lambda session: _pairs(session["versions"]))),
        ("Data read", _data(recorded)),
        ("Machine", of_each(lambda session: _machine(session["machine"]))),
        ("Time", _time(recorded)),
        ("Energy", _energy(recorded)),
        ("Command", of_each(lambda session: session["command"] or "called from Python")),
    ]


def file_lines(files: Mapping[str, Mapping[str, Any]]) -> str:
    """A line a file: SHA-256, of how much of it, size, name."""
    parts = {name: "whole" if file["whole"] else "first MiB" for name, file in files.items()}
    return "\n".join(
        f"{file['sha256']}  {parts[name]}  {file['bytes']}  {name}" for name, file in files.items()
    )


def _code(session: Mapping[str, Any]) -> str:
    code = session["code"]
    git = f"git {code['git']}" if code.get("git") else "not run from a git checkout"
    return f"brainwavlm {code.get('version')}, {git}, SHA-256 of its source {code.get('source')}"


def _pairs(some: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in some.items())


def _data(recorded: Mapping[str, Any]) -> str:
    files = recorded["files"]
    # A sound that several subjects of a joint run heard is one file.
    different = {(file["sha256"], file["bytes"]): file for file in files.values()}.values()
    size = sum(file["bytes"] for file in different)
    heads = sum(not file["whole"] for file in different)
    how = (
        f"{heads} of the largest by their first MiB, size and time of change" if heads else "each file whole"
    )
    digest = hashlib.sha256(file_lines(files).encode()).hexdigest()
    changed = sorted({name for session in recorded["sessions"] for name in session["data_changed"]})
    note = f". CHANGED between sessions: {', '.join(changed)}" if changed else ""
    return f"{len(different)} files, {size / 1e6:,.1f} MB, by SHA-256 ({how}; listed below), together {digest}{note}"


def _machine(machine: Mapping[str, Any]) -> str:
    accelerator = machine.get("accelerator", "none")
    if accelerator != "none":
        accelerator = f"{machine.get('accelerators')} x {accelerator}"
        if machine.get("accelerator_gb"):
            accelerator += f" with {machine['accelerator_gb']:g} GB"
    memory = f"{machine['memory_gb']:g} GB of memory" if machine.get("memory_gb") else "memory not known"
    return (
        f"{machine.get('cpu')}, {machine.get('cores')} cores ({machine.get('threads')} threads used), {memory}, "
        f"accelerator: {accelerator}; {machine.get('os')}, Python {machine.get('python')}. "
        "The host's name is not recorded."
    )


def _time(recorded: Mapping[str, Any]) -> str:
    sessions = recorded["sessions"]
    began = datetime.fromtimestamp(sessions[0]["began"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    hours = hours_of(recorded)
    text = f"{hours:.2f} hours" if hours >= 0.1 else f"{3600 * hours:.0f} seconds"
    text += f" in {len(sessions)} session{'s' if len(sessions) > 1 else ''}, begun {began}"
    killed = sum(session["ended"] is None for session in sessions)
    note = f"; {killed} of them did not end by themselves and count up to their last step" if killed else ""
    return text + note


def _energy(recorded: Mapping[str, Any]) -> str:
    parts, measured = energy_of(recorded)
    sessions = len(recorded["sessions"])
    if not parts:
        return (
            "not measured: this machine let no counter be read (RAPL of processors, NVIDIA's of its boards). Nothing "
            "is estimated: an estimate would be hours times a power in watts that was not measured either."
        )
    listed = ", ".join(f"{_PARTS.get(part, part)} {kwh:.3g} kWh" for part, kwh in parts.items())
    of = "" if measured == sessions else f" in {measured} of {sessions} sessions"
    return (
        f"measured{of}: {listed}; all that ran there meanwhile counts, main memory, disks and cooling do not"
    )
