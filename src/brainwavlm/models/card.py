"""The model card of an exported run, in the hub's form, written from the run and its scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from brainwavlm import __version__
from brainwavlm.config import CONTROLS, stored_config
from brainwavlm.datasets.demo import DEMO_MODEL
from brainwavlm.errors import RunError
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.models.brain_model import BrainModel
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.runs.run import Run

_PAPER = (
    "Vattikonda, Vaidya, Antonello and Huth (2025), BrainWavLM: Fine-tuning Speech Representations with Brain "
    "Responses to Language, arXiv:2502.08866 (the method)."
)
# Beginning of a base model's name: licence on the hub, and what is said of it.
_LICENCES = {
    DEMO_MODEL: ("mit", "MIT, as brainwavlm"),
    "microsoft/wavlm": (
        "cc-by-sa-3.0",
        "CC BY-SA 3.0 by the model's card, which links the licence of microsoft/UniSpeech (torchaudio's page says MIT)",
    ),
}


def scores_of(run: Run, folder: Path | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Rows of an evaluation that are of the run, those of the controls beside it, and what intervals are over.

    Raises
    ------
    RunError
        The folder holds no evaluation of this run.
    """
    if folder is None:
        return [], [], ""
    results = Evaluation.open(folder, parts=())
    configs = {entry["name"]: stored_config(entry["config"], str(folder)) for entry in results.runs}
    sides = [side.config for side in run.sides]
    names = [name for name, config in configs.items() if config in sides]
    if not names or not results.tuned:
        raise RunError(
            folder,
            f"scores of {', '.join(configs)}, whose settings are not those of {run.path}.",
            "scores of this run.",
            f"Make them:  brainwavlm evaluate {run.path}",
        )
    rows = [row for name in names for row in results.rows_of(name)]
    controls = [
        {**row, "what": CONTROLS[entry["control"]]}
        for entry in results.runs
        if entry["control"] != "none" and entry["name"] not in names
        for row in results.rows_of(entry["name"])
    ]
    return rows, controls, results.runs[0]["intervals"]


def write_card(
    folder: Path,
    model: BrainModel,
    run: Run,
    plans: Sequence[ScoringPlan],
    scores: tuple[list[dict[str, Any]], list[dict[str, Any]], str],
    place: str,
    n_blocks: int | None,
) -> None:
    """Write README.md. `n_blocks` are those that were exported, None of an adapter; `place` is what loads it."""
    base, datasets = (
        model.backbone.name,
        list({plan.data.dataset.name: plan.data.dataset for plan in plans}.values()),
    )
    on_hub = base != DEMO_MODEL and not Path(base).is_dir()
    name = base if on_hub else Path(base).name
    licence, said = next(
        (entry for start, entry in _LICENCES.items() if base.startswith(start)),
        ("other", "see its own card" + f", https://huggingface.co/{base}" * on_hub),
    )
    family = model.backbone.family
    data = ModelCardData(
        base_model=base if on_hub else None,
        datasets=[dataset.name for dataset in datasets],
        license=licence,
        license_name="see-the-card" if licence == "other" else None,
        metrics=["pearsonr"],
        tags=["brain-encoding", "brainwavlm", "speech", *["simulated"] * model.simulated],
        library_name="peft" if n_blocks is None else "transformers",
        pipeline_tag="feature-extraction",
    )
    of_data = [f"{dataset.name}: {dataset.licence or 'not said by the data set'}" for dataset in datasets]
    carries = "The adapter was trained on" if n_blocks is None else "The weights contain those of"
    content = _rendered(
        "model_card.md.j2",
        card_data=data.to_yaml(),
        title=f"{name}, tuned on the responses of {_listed(model.subjects)}",
        simulated=model.simulated,
        base_text=f"[{base}](https://huggingface.co/{base})" if on_hub else name,
        whom=_listed(model.subjects),
        method=_method(run),
        epochs=f"epoch {run.best_epoch['epoch']} of {len(run.history)}, the best on validation stories",
        version=__version__,
        layer=model.layer,
        n_blocks=n_blocks,
        trimmed=n_blocks is not None and n_blocks < model.backbone.n_blocks,
        kind="adapter" if n_blocks is None else "merged",
        family=family.name,
        code="" if n_blocks is None else loading_code(family.name, place, model.layer, n_blocks),
        windows=model.windows,
        delays=", ".join(map(str, model.alignment.delays)),
        place=place,
        subjects=[
            _subject(name, plan, side)
            for name, plan, side in zip(model.subjects, plans, run.sides, strict=True)
        ],
        scores=scores[0],
        controls=scores[1],
        intervals=scores[2],
        licences=f"{carries} {name} ({said}). Data: {'; '.join(of_data)}. Heed all of them.",
        citations=[
            _PAPER,
            *(dataset.citation for dataset in datasets if dataset.citation),
            f"The base model: {name}.",
        ],
    )
    ModelCard(content).save(folder / "README.md")


def _subject(name: str, plan: ScoringPlan, side: Run) -> dict[str, Any]:
    config, splits = side.config, side.manifest["splits"]
    kind = config.control.kind
    return {
        "name": name,
        "dataset": plan.data.dataset.name,
        "n_ridge": len(plan.columns),
        "target": config.target,
        "control": "" if kind == "none" else f", a CONTROL: {CONTROLS[kind]}",
        **{f"n_{split}": len(splits[split]) for split in ("train", "validation", "test")},
    }


def _method(run: Run) -> str:
    adapter = run.config.adapter
    kinds = {
        "lora": f"LoRA of rank {adapter.rank}",
        "full": "all weights of the blocks",
        "frozen": "not tuned at all",
    }
    kinds["reinit"] = "blocks begun anew from random weights"
    extra = [name for name, on in (("rsLoRA", adapter.rslora), ("DoRA", adapter.dora)) if on]
    return ", ".join([kinds[adapter.method], *extra])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def loading_code(family: str, place: str, layer: int, n_blocks: int) -> str:
    """Python that reads the hidden state of an exported model with transformers alone."""
    return _rendered("load_model.py.j2", family=family, place=place, layer=layer, n_blocks=n_blocks)


def _rendered(template: str, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("brainwavlm.models", ""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "signed": signed}
    return environment.get_template(template).render(values)
