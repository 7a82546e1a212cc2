"""A run as a folder that others can read: stock weights, readouts, checksums and a model card."""

from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save_file

from brainwavlm.datasets.demo import demo_dataset
from brainwavlm.errors import ConfigError
from brainwavlm.files import replacing_folder, write_json
from brainwavlm.models.brain_model import BrainModel
from brainwavlm.models.card import scores_of, write_card
from brainwavlm.models.folder import MANIFEST, OURS, Base, ModelManifest, save_subjects
from brainwavlm.models.opening import finished_run, model_of_run
from brainwavlm.models.weights import push_folder, require_hub, save_adapter, save_merged
from brainwavlm.progress import Progress
from brainwavlm.reporting.maps.writer import require_new
from brainwavlm.results.open import within_run
from brainwavlm.runs.output_paths import require_writable
from brainwavlm.runs.run import Run
from brainwavlm.runs.sums import write_sums
from brainwavlm.stimulus.audio import SAMPLE_RATE, load_sound

_EXAMPLE = 24.0  # seconds, or ten TRs where these are longer


def export(
    run: str | Path | Run,
    output: str | Path,
    *,
    adapter: bool = False,
    trim: bool = False,
    scores: str | Path | None = None,
    cache: str | Path | None = None,
    push: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a finished run into a new folder that transformers reads without this package.

    Parameters
    ----------
    run : path or Run
    output : path
        New or empty. It is written under another name until it is whole.
    adapter : bool
        The adapter of peft in place of merged weights. Stock WavLM ignores it; `load` applies it.
    trim : bool
        Leave out the blocks above the hidden state that the run reads.
    scores : path or None
        A folder of `evaluate` with this run, perhaps with controls, for the card; None: RUN/evaluation if it is there.
    cache : path or None
        Folder of features to read and add to.
    push : str or None
        OWNER/NAME on the hub, to which the folder is uploaded then; needs `hf auth login`.
    progress : Progress or None

    Returns
    -------
    Path of the folder

    Raises
    ------
    RunError
        Not a run, not finished, damaged, or changed since; scores of another run.
    ConfigError
        An output with files; an adapter where there is none, or trimmed; a hub that does not know who you are.
    """
    folder = Path(output)
    require_writable(folder, "output")
    require_new(folder)
    opened = finished_run(run.path if isinstance(run, Run) else run)
    method = opened.config.adapter.method
    if adapter and method != "lora":
        raise ConfigError(
            "adapter",
            f"a run with adapter.method={method}.",
            "adapter.method=lora: else there is no adapter, or it lies on weights that nobody else has.",
            "Export merged weights: leave adapter out.",
        )
    if adapter and trim:
        raise ConfigError("trim", "with an adapter, which has no blocks.", "one of them.", "Leave trim out.")
    given = Path(scores) if scores is not None else within_run(opened.path, "evaluation")
    told = scores_of(opened, given)
    if push is not None:
        require_hub(push)
    model, plans = model_of_run(opened, cache, progress)
    with replacing_folder(folder) as partial:
        ours = partial / OURS
        ours.mkdir()
        datasets = [plan.data.dataset.name for plan in plans]
        subjects = save_subjects(model, datasets, opened.config.readout, ours)
        model.backbone.to("cpu")  # where `verify` predicts the example again
        n_blocks = None if adapter else save_merged(model.backbone, model.layer, partial, trim)
        if adapter:
            save_adapter(model.backbone, partial)
        write_card(partial, model, opened, plans, told, push or folder.name, n_blocks)
        _write_example(model, ours)
        manifest = ModelManifest(
            kind="adapter" if adapter else "merged",
            simulated=model.simulated,
            backbone=Base(
                name=model.backbone.name,
                family=model.backbone.family.name,
                checksum=opened.manifest["backbone"]["checksum"],
                layer=model.layer,
                batch_windows=model.backbone.batch_windows,
                adapter=opened.config.adapter,
                run_unused_blocks=opened.config.quirks.run_unused_blocks,
            ),
            windows=model.windows,
            alignment=model.alignment,
            clipped_kernel=model.clipped,
            subjects=subjects,
            scores=[_plain(row) for row in told.rows],
            controls=[_plain(row) for row in told.controls],
        )
        write_json(ours / MANIFEST, manifest.model_dump(mode="json"))
        files = [file for file in partial.rglob("*") if file.is_file()]
        for file in files:
            file.chmod(0o644)  # safetensors keeps others out
        write_sums(partial, files)
    if push is not None:
        push_folder(folder, push)
    return folder


def _write_example(model: BrainModel, folder: Path) -> None:
    """A stretch of a story of the embedded data set, and what is predicted of it by ridge."""
    story = demo_dataset().stories["dog"]
    seconds = max(_EXAMPLE, *(10 * model.subject(name).tr for name in model.subjects))
    sound = np.resize(load_sound(story.audio), round(seconds * SAMPLE_RATE))
    soundfile.write(folder / "example.flac", sound, SAMPLE_RATE, subtype="PCM_16")
    predicted = {name: model.predict(folder / "example.flac", name).values for name in model.subjects}
    save_file(
        {name: np.ascontiguousarray(values) for name, values in predicted.items()},
        folder / "example.safetensors",
    )


def _plain(row: dict) -> dict:
    """A row of a table without what JSON cannot say."""
    return {key: None if value != value else value for key, value in row.items()}
