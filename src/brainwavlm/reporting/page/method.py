"""How the numbers came about, in words: from the configuration of the runs and the facts of the data."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainwavlm import __version__
from brainwavlm.config import CONTROLS, RunConfig, WindowConfig, flattened
from brainwavlm.reporting.sources import Source
from brainwavlm.results.ridge import UNTUNED

PAPER = (
    "The method: Nishitha Vattikonda, Aditya R. Vaidya, Richard J. Antonello, Alexander G. Huth. BrainWavLM: "
    "Fine-tuning Speech Representations with Brain Responses to Language. arXiv:2502.08866, 2025."
)

_SPLITS = {"train": "Training", "validation": "Validation", "test": "Test"}

Entries = list[tuple[str, str]]


def blocks(
    run: Mapping[str, Any], versions: Mapping[str, str], configs: Mapping[str, RunConfig]
) -> list[dict[str, Any]]:
    """How numbers came about, as titles with entries: of an entry of summary.json, with the settings of each model."""
    config = next(iter(configs.values()))
    title, most = ("Speech model", 3) if run["method"] == UNTUNED else ("Tuning", None)
    each = {"Data": data_entries(run, config), title: model_entries(config)[:most]}
    each["In which settings the runs differ"] = differing(configs)
    each["Scores"] = score_entries(run, versions, config)
    return [{"title": name, "entries": entries} for name, entries in each.items() if entries]


def data_entries(run: Mapping[str, Any], config: RunConfig) -> Entries:
    """What was recorded, on which clock, and which stories served for what; `run` is an entry of summary.json."""
    frozen = run["frozen"]
    what = "simulated responses" if run["simulated"] else "measured responses"
    recordings = f"{frozen['dataset']}: {what}, {frozen['n_voxels']:,} voxels scored"
    if frozen["voxels_without_r"]:
        recordings += f", {frozen['voxels_without_r']:,} of them without a correlation (nothing varies)"
    left_out = ", ".join(f"{n:,} {reason}" for reason, n in frozen["unusable_voxels"].items() if n)
    when = "the start" if frozen["tr_reference"] == "onset" else "the middle"
    amount = ""
    if config.train_minutes is not None:
        minutes, fitted = f"{config.train_minutes:g} minutes of training stories", ", ".join(frozen["fitted"])
        amount = f"the speech model was tuned on up to {minutes}; ridge is fitted on all of them: {fitted}"
    entries = [
        ("Recordings", recordings),
        ("Voxels left out", left_out),
        *(("As read", fact) for fact in frozen["facts"]),
        ("Clock", f"one volume every {frozen['tr']:g} s; features are read at {when} of each volume's time"),
        *((f"{_SPLITS[split]} stories", ", ".join(some) or "none") for split, some in run["splits"].items()),
        ("Amount", amount),
        ("Volumes", f"{frozen['rows']['fitted']:,} to fit, {frozen['rows']['held_out']:,} to test"),
    ]
    return [(term, text) for term, text in entries if text]


def model_entries(config: RunConfig) -> Entries:
    """The speech model, what of it could change, and what pushed it; the first three of any model."""
    alignment = config.alignment
    state = f"hidden state {config.backbone.layer} (0 is the input of the first block)"
    lobes = f"{alignment.lobes} lobes, negative lobes {'dropped' if config.quirks.clip_kernel else 'kept'}"
    delays = ", ".join(map(str, alignment.delays))
    return [
        ("Speech model", f"{model_name(config)}, {state}"),
        _context(config.windows),
        ("Alignment", f"Lanczos resampling to volumes ({lobes}), z-score, delays of {delays} volumes"),
        ("Adapters", _adapters(config)),
        ("Loss", _loss(config)),
        ("Training", _training(config)),
    ]


def _context(windows: WindowConfig) -> tuple[str, str]:
    frame = {"last": "last frame", "first": "first frame", "mean": "mean over frames"}[windows.frame]
    of = f"{windows.context:g} s of sound every {windows.stride:g} s, {frame}"
    if windows.mode == "windows":
        return ("Windows", of)
    ahead = windows.stride if windows.lookahead is None else windows.lookahead
    segments = f"heard in segments of {windows.chunk:g} s after their context"
    sight = f"frames see {windows.context:g} s back and up to {ahead:g} s ahead"
    return ("Stream", f"{of}; {segments}, {sight}")


def model_name(config: RunConfig) -> str:
    """Hub id of the speech model, or the last part of a local path: pages are passed on, folders are private."""
    path = Path(config.backbone.name)
    return path.name if path.is_absolute() else config.backbone.name


def score_entries(run: Mapping[str, Any], versions: Mapping[str, str], config: RunConfig) -> Entries:
    """How frozen and tuned features were scored and compared; `run` is an entry of summary.json."""
    alphas, frozen, untuned = config.ridge.alphas, run["frozen"], run["method"] == UNTUNED
    what = "ridge regression on the features of the model as it is"
    if not untuned:
        what = "ridge regression on frozen and on tuned features, never the readout that took part in tuning"
    alone = frozen.get("split") == "leave-one-out"
    fitted = "all other stories" if alone else "training and validation stories"
    chosen_on = "the same folds" if alone else "validation stories where these were fitted"
    floor = f"voxels with a ceiling of {config.evaluation.ceiling_floor:g} or less have none"
    both = "" if untuned else ", the same for frozen and tuned"
    entries = {
        "Score": f"a fresh closed-form {what}, fitted on {fitted}; Pearson correlation of predicted and true responses "
        "over all volumes of the test stories, voxel by voxel, then the mean over a target",
        "Ridge": f"one penalty a voxel out of {len(alphas)} from {min(alphas):.3g} to {max(alphas):.3g} (himalaya), "
        f"chosen by {frozen['folds']}, the same for every model",
        "Shared map": f"reduced-rank ridge for all voxels together, of rank {config.ridge.max_rank} at most, fitted to "
        f"the same rows; its rank and penalty chosen on {chosen_on}",
        "Intervals": f"95 %, jackknife over {run.get('intervals', 'test stories')}{both}",
        "Relative gain": "difference and interval divided by the frozen mean, which is taken as exact",
        "Share of ceiling": f"{frozen['normalised_by']}; {floor}",
        "Readout r": "the test score of the readout that learned together with the adapters, for comparison",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    return [one for one in entries.items() if not (untuned and one[0] in ("Relative gain", "Readout r"))]


def differing(configs: Mapping[str, RunConfig]) -> Entries:
    """The settings in which runs differ: key, and each run's value."""
    flat = {name: flattened(config) for name, config in configs.items()}
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    return [
        (key, "; ".join(f"{name}: {_in_words(key, values.get(key))}" for name, values in flat.items()))
        for key in keys
        if len({json.dumps(values.get(key)) for values in flat.values()}) > 1
    ]


def _in_words(key: str, value: Any) -> str:
    """A setting's value; of listeners who tune too, who they are."""
    if key == "joint":
        ends = {"start": "", "end": " (stories from the end)"}
        return " and ".join(f"{one['subject']}{ends[one['train_from']]}" for one in value) or "nobody else"
    return str(value)


def citations(runs: Sequence[tuple[Mapping[str, Any], Source]]) -> list[str]:
    """How to cite: the method, this software, and the data of the runs, entries of summary.json with their sources."""
    cited = [PAPER, f"This software: brainwavlm {__version__}, MIT licence; CITATION.cff in its repository."]
    for run, source in runs:
        data, licence = run["frozen"]["dataset"], run["frozen"]["licence"]
        citation = source.dataset.citation.rstrip(".") if source.dataset else ""
        if citation or licence:
            terms = f" Licence: {licence}." if licence else ""
            cited.append(f"The data set {data}: {citation or 'no citation given'}.{terms}")
    return list(dict.fromkeys(cited))


def _adapters(config: RunConfig) -> str:
    adapter = config.adapter
    if adapter.method == "frozen":
        return "none: the speech model stayed as it was, only the readout learned"
    if adapter.method == "full":
        return "none: all weights of the blocks learned"
    if adapter.method == "reinit" and adapter.after_reinit == "full":
        return f"none: blocks began anew from random weights (seed {adapter.reinit_seed}) and learned whole"
    blocks = "every block up to the layer that is read"
    if adapter.layers is not None:
        blocks = f"blocks {adapter.layers[0]} to {adapter.layers[1]}"
    if adapter.method == "reinit":
        blocks += f", begun anew from random weights (seed {adapter.reinit_seed})"
    kind = "DoRA" if adapter.dora else "LoRA"
    alpha = adapter.rank if adapter.alpha is None else adapter.alpha
    return f"{kind}, rank {adapter.rank}, alpha {alpha:g}, on {', '.join(adapter.projections)} of {blocks}"


def _loss(config: RunConfig) -> str:
    names = {
        "spatial": "minus the correlation over voxels, mean over volumes",
        "temporal": "minus the correlation over volumes, mean over voxels",
        "mse": "mean squared error",
        "contrastive": "cross entropy of finding a volume among those of its block by the cosine over voxels (NT-Xent, "
        f"temperature {config.loss.temperature:g})",
    }
    weights = {key: getattr(config.loss, key) for key in names}
    each = (f"{weights[key]:g} × {names[key]}".removeprefix("1 × ") for key in names if weights[key])
    terms = " + ".join(each)
    if config.loss.distil:
        terms += (
            f" + {config.loss.distil:g} × squared distance of the features to those of the untuned model, as a share "
            "of their variance"
        )
    return terms + ("; voxels weighted by their ceiling" if config.loss.ceiling_weighted else "")


def _training(config: RunConfig) -> str:
    training = config.training
    kind = config.control.kind
    control = "" if kind == "none" else f"; CONTROL: tuned on {CONTROLS[kind]}"
    if kind in ("shifted", "block-permuted"):
        control += f" ({config.control.seconds:g} s)"
    slow = "" if training.slow == 1 else f", low-passed to every {training.slow} volumes"
    by = " of ridge fitted anew, epoch 0 included," if config.quirks.epoch_by_ridge else ""
    return (
        f"up to epoch {training.epochs}, in blocks of {training.block_rows} volumes{slow}, AdamW, learning rate "
        f"{training.lr_backbone:g} (speech model) and {training.lr_readout:g} (readout), {training.schedule} "
        f"schedule; the epoch with the best validation correlation{by} is kept{control}"
    )
