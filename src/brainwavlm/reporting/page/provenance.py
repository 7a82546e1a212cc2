"""Where the numbers of a page come from: the runs' settings, whose data, and what their folders say was recorded."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brainwavlm.config import RunConfig, flattened
from brainwavlm.errors import BrainwavlmError
from brainwavlm.reporting.page.render import download
from brainwavlm.reporting.surface_maps import Source
from brainwavlm.results.estimates import setting_words
from brainwavlm.runs.provenance import hours_of, read_provenance
from brainwavlm.runs.run import Run, open_run

Entries = list[tuple[str, str]]
Entry = Mapping[str, Any]  # of `runs` in summary.json
NOT_RECORDED = "not recorded: tuned by a version that kept no record"
NOT_HERE = "not known: the run's folder is not where the evaluation found it, or holds another run"
# Settings that do not touch the scores of an untuned model, or that the command has places for.
_NOT_ASKED = {"subject", "dataset", "adapter", "readout", "loss", "training"}
_NOT_ASKED |= {"control", "quirks", "joint", "device"}


def model_name(config: RunConfig) -> str:
    """Hub id of the speech model, or the last part of a local path: pages are passed on, folders are private."""
    path = Path(config.backbone.name)
    return path.name if path.is_absolute() else config.backbone.name


def differing(configs: Mapping[str, RunConfig]) -> Entries:
    """The settings in which runs differ: key, and each run's value."""
    flat = {name: flattened(config) for name, config in configs.items()}
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    return [
        (key, "; ".join(f"{name}: {setting_words(key, values.get(key))}" for name, values in flat.items()))
        for key in keys
        if len({json.dumps(values.get(key)) for values in flat.values()}) > 1
    ]


def citations(runs: Sequence[tuple[Mapping[str, Any], Source]]) -> list[str]:
    """How to cite the data of the runs, entries of summary.json with their sources."""
    cited = []
    for run, source in runs:
        data, licence = run["frozen"]["dataset"], run["frozen"]["licence"]
        citation = source.dataset.citation.rstrip(".") if source.dataset else ""
        if citation or licence:
            terms = f" Licence: {licence}." if licence else ""
            cited.append(f"The data set {data}: {citation or 'no citation given'}.{terms}")
    return list(dict.fromkeys(cited))


def run_behind(entry: Entry, config: RunConfig) -> Run | None:
    """The run that an entry of summary.json is of, as its subject sees it; None where another is in its folder."""
    if not isinstance(entry.get("path"), str):
        return None
    return next((side for side in open_run(entry["path"]).sides if side.config == config), None)


def origin_of(entry: Entry, config: RunConfig) -> dict[str, Any]:
    """What is recorded of a run, an entry of summary.json, for origin.html.j2; or that `nothing` is, and why."""
    try:
        run = run_behind(entry, config)
        recorded = read_provenance(run.path) if run else None
    except (BrainwavlmError, OSError) as error:
        found = f" ({error.found})" if isinstance(error, BrainwavlmError) else ""
        return {"nothing": NOT_HERE + found}
    if run is None:
        return {"nothing": NOT_HERE}
    model = {"checksum": run.manifest["backbone"].get("checksum", "not recorded")}
    if recorded is None or not recorded["sessions"]:
        return model | {"nothing": NOT_RECORDED}
    return model | record_of(recorded)


def record_of(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The sessions of provenance.json, and what they come to together."""
    sessions, parts = recorded["sessions"], {True: "whole", False: "first MiB"}
    files = "\n".join(
        f"{file['sha256']}  {parts[file['whole']]}  {file['bytes']}  {name}"
        for name, file in recorded["files"].items()
    )
    return {
        "sessions": sessions,
        # A sound that several subjects of a joint run heard is one file.
        "read": list({(file["sha256"], file["bytes"]): file for file in recorded["files"].values()}.values()),
        "files": files,
        "digest": hashlib.sha256(files.encode()).hexdigest(),
        "changed": sorted({name for session in sessions for name in session["data_changed"]}),
        "began": datetime.fromtimestamp(sessions[0]["began"], UTC),
        "hours": hours_of(recorded),
    }


def origins(
    models: Mapping[str, Sequence[Entry]], configs: Mapping[str, RunConfig], titles: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Where each model comes from, and as texts to be downloaded its settings and the files it read.

    `models` are entries of `runs` in summary.json by the label of their model (several are of a joint run), `configs`
    those of the first of each. Returns an `origin_of` each, with title, and texts, with title, text and file.
    """
    blocks, settings, lists = [], [], []
    for label, runs in models.items():
        name, config = model_file(runs), configs[label]
        blocks.append({"title": titles[label], **origin_of(runs[0], config)})
        settings.append(_settings(name, config))
        if files := blocks[-1].get("files"):
            file = download(f"{name}-files.txt", files, "text/plain")
            title = f"Files that run {name} read, with their checksums"
            lists.append({"title": title, "text": files, "file": file})
    return blocks, settings + lists


def seeds_and_versions(models: Mapping[str, Sequence[Entry]]) -> Entries:
    """Of models, entries of `runs` in summary.json by their label: their seeds, and what they were tuned with."""
    seeds = "; ".join(f"{label}: {runs[0]['seed']}" for label, runs in models.items())
    versions = [runs[0].get("tuned_with") or {} for runs in models.values()]
    texts = [", ".join(f"{name} {version}" for name, version in some.items()) for some in versions]
    return [("Seeds", seeds), *(("Tuned with", text) for text in dict.fromkeys(texts) if text)]


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
