"""The model card of an exported run, in the hub's form, written from the run and its scores."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

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

_APACHE = ("apache-2.0", "Apache 2.0 by the model's card")
# Names of base models: licence on the hub, and what is said of it. Others of wav2vec 2.0 have others.
_LICENCES = {
    re.escape(DEMO_MODEL): ("mit", "MIT, as brainwavlm"),
    "microsoft/wavlm.*": (
        "cc-by-sa-3.0",
        "CC BY-SA 3.0 by the model's card, which links the licence of microsoft/UniSpeech (torchaudio's page says MIT)",
    ),
    "facebook/hubert-(base|x?large)-l.*": _APACHE,
    "facebook/wav2vec2-(base|large)(-960h|-lv60|-960h-lv60(-self)?|-xlsr-53)?": _APACHE,
    "openai/whisper-large-v3-turbo": ("mit", "MIT by the model's card"),
    "openai/whisper-.*": ("apache-2.0", f"{_APACHE[1]} (the repository openai/whisper says MIT)"),
}


class Scores(NamedTuple):
    """Rows of an evaluation that are of a run, those of the controls beside it, and what intervals are over."""

    rows: Sequence[dict[str, Any]] = ()
    controls: Sequence[dict[str, Any]] = ()
    intervals: str = ""


def scores_of(run: Run, folder: Path | None) -> Scores:
    """The scores of a run in a folder of `evaluate`; RunError where it holds none of this run."""
    if folder is None:
        return Scores()
    results = Evaluation.open(folder, parts=())
    configs = {entry["name"]: stored_config(entry["config"], str(folder)) for entry in results.runs}
    sides = [side.config for side in run.sides]
    names = [name for name, config in configs.items() if config in sides]
    if not names or not results.tuned:
        raise RunError(
            folder,
            f"scores of {', '.join(configs)}, whose settings are not those of {run.path}.",
            "scores of this run.",
            f"Make them:  brainwavlm evaluate {shlex.quote(str(run.path))}",
        )
    controls = [
        {**row, "what": CONTROLS[entry["control"]]}
        for entry in results.runs
        if entry["control"] != "none" and entry["name"] not in names
        for row in results.rows_of(entry["name"])
    ]
    rows = [row for name in names for row in results.rows_of(name)]
    return Scores(rows, controls, results.runs[0]["intervals"])


def write_card(
    folder: Path,
    model: BrainModel,
    run: Run,
    plans: Sequence[ScoringPlan],
    scores: Scores,
    place: str,
    n_blocks: int | None,
) -> None:
    """Write README.md. `n_blocks` are those that were exported, None of an adapter; `place` is what loads it."""
    base, datasets = model.backbone.name, {plan.data.dataset.name: plan.data.dataset for plan in plans}
    on_hub = base != DEMO_MODEL and not Path(base).is_dir()
    licence, said = base_licence(base)
    data = ModelCardData(
        base_model=base if on_hub else None,
        datasets=list(datasets),
        license=licence,
        license_name="see-the-card" if licence == "other" else None,
        metrics=["pearsonr"],
        tags=["brain-encoding", "brainwavlm", "speech", *["simulated"] * model.simulated],
        library_name="peft" if n_blocks is None else "transformers",
        pipeline_tag="feature-extraction",
    )
    code = "" if n_blocks is None else loading_code(model.backbone.family.name, place, model.layer, n_blocks)
    content = _rendered(
        "model_card.md.j2",
        card_data=data.to_yaml(),
        model=model,
        run=run,
        subjects=list(zip(model.subjects, plans, run.sides, strict=True)),
        datasets=datasets.values(),
        scores=scores,
        place=place,
        n_blocks=n_blocks,
        code=code,
        base=base if on_hub else Path(base).name,
        licence=said,
        card=f"https://huggingface.co/{base}" if on_hub else "",
        version=__version__,
        controls=CONTROLS,
    )
    ModelCard(content).save(folder / "README.md")


def base_licence(name: str) -> tuple[str, str]:
    """The licence of a base model, as the hub names it, and what is said of it."""
    return next(
        (licence for names, licence in _LICENCES.items() if re.fullmatch(names, name)),
        ("other", "see its own card"),
    )


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
