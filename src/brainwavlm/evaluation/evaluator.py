"""What several scores share: data sets resolved once, untuned speech models loaded once, features kept on disk."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.run_data import RunData, run_data
from brainwavlm.encoding.targets import target_mask, uses_ceiling
from brainwavlm.errors import RunError
from brainwavlm.evaluation.scoring_plan import ScoringPlan
from brainwavlm.progress import Progress
from brainwavlm.runs.output_paths import require_writable
from brainwavlm.runs.run import Run
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import StoryFeatures, cached, extract
from brainwavlm.speech.hidden_states import Backbone

OF_THE_DATA = {
    *("dataset", "subject", "regions", "target", "train", "validation", "test", "windows", "alignment"),
}
_OF_TUNING = {
    *("seed", "joint", "target", "train_minutes", "train_from", "control", "adapter", "readout", "loss"),
    *("training", "quirks"),
}


class Evaluator:
    """Where scores are made.

    Parameters
    ----------
    cache : str, Path or None
        Folder of features to read and add to; None: computed and not kept.
    progress : Progress or None
        Shows which stories are read; None is silent.
    keep_tuned : bool
        Keep features of models with trained weights there too.
    meanwhile : str, Path or None
        Folder for what is not kept; None: it is computed whenever it is asked for.
    scanned : bool
        As for `run_data`; False: for plans alone.
    """

    def __init__(
        self,
        cache: str | Path | None,
        progress: Progress | None,
        keep_tuned: bool = True,
        meanwhile: str | Path | None = None,
        scanned: bool = True,
    ) -> None:
        # What a folder holds may be read where it is closed.
        if cache is not None and not Path(cache).is_dir():
            require_writable(Path(cache), "cache")
        self.progress = progress or Progress()
        self._cache = cache or meanwhile
        self._tuned_cache = self._cache if keep_tuned else meanwhile
        self._scanned = scanned
        self._data: dict[str, RunData] = {}
        self._untuned: dict[tuple[str, tuple[int, ...]], tuple[Backbone, str]] = {}

    def data(self, config: RunConfig) -> RunData:
        """The configuration resolved on its data set; all responses are scanned once for each choice of data.

        With all training stories, also those that train_minutes left out: what a speech model is worth is asked on the
        same stories, however many it was tuned on.
        """
        config = config.model_copy(update={"train_minutes": None})
        key = config.model_dump_json(include=OF_THE_DATA) + str(config.quirks.nan_voxels)
        if key not in self._data:
            self._data[key] = run_data(config, self._scanned)
        return self._data[key]

    def untuned(self, config: RunConfig, layers: Sequence[int] = ()) -> Backbone:
        """The speech model as it is, read at the configured layer and further ones; loaded once."""
        return self._loaded(config, layers)[0]

    def features(
        self, backbone: Backbone, config: RunConfig, recordings: Iterable[Recording], title: str
    ) -> dict[str, StoryFeatures]:
        """Features of the stories of some recordings, from the cache where there is one."""
        return dict(self.each(backbone, config, recordings, title))

    def each(
        self, backbone: Backbone, config: RunConfig, recordings: Iterable[Recording], title: str
    ) -> Iterator[tuple[str, StoryFeatures]]:
        """`features`, one story after the other: name and features of all the backbone's layers."""
        backbone.set_up(config)
        kept, cache = self.frontends(config), self.cache_of(backbone)
        stories = {recording.story.name: recording.story for recording in recordings}
        for name in self.progress.over(sorted(stories), title):
            sound, channel = stories[name].audio, stories[name].channel
            if cache is None:
                yield name, extract(backbone, sound, config.windows, channel, kept)
            else:
                yield name, cached(backbone, sound, config.windows, cache, channel, kept)

    def cache_of(self, backbone: Backbone) -> str | Path | None:
        """Folder of what a speech model says; None: it is not kept."""
        return self._tuned_cache if any(backbone.adapter_parameters()) else self._cache

    def frontends(self, config: RunConfig) -> Path | None:
        """Where outputs of the frozen frontend are kept that scores may read, and add to."""
        folder, kind = config.training.frontend_folder, config.training.frontend_type
        # Not where the run has moved away from them; and rounded to float16 they would change scores.
        return Path(folder) if folder and kind == "float32" and Path(folder).is_dir() else None

    def plan(self, config: RunConfig, leave_one_out: bool = False, tested: bool = True) -> ScoringPlan:
        """How a configuration is scored; see `ScoringPlan.of` for what is raised."""
        return ScoringPlan.of(self.data(config), config, self.untuned(config), leave_one_out, tested)

    def plan_of(self, run: Run, config: RunConfig, tested: bool = True) -> ScoringPlan:
        """How a run is scored with a configuration; raised besides is what is wrong with its files, or has changed."""
        run.require_whole()
        self.require_unchanged(run, self.data(config))
        return self.plan(config, tested=tested)

    def plans_of(
        self, runs: Sequence[Run], memory_gb: float | None, tested: bool = True
    ) -> list[ScoringPlan]:
        """`plan_of` each of some runs, on whole cortex and with every target that one of them was tuned on."""
        tuned_on = tuple(run.config.target for run in runs)
        return [self.plan_of(run, with_whole_cortex(run.config, tuned_on, memory_gb), tested) for run in runs]

    def require_unchanged(self, run: Run, data: RunData) -> None:
        """A tuned model may only be scored on the data and the speech model that it was tuned with.

        Raises
        ------
        RunError
            The splits, the number of voxels, those of the run's target or the speech model are not those of run.json.
        """
        _require_equal(run, "splits", run.manifest["splits"], data.while_tuning(run.config).story_names())
        n_voxels = run.manifest["data"].get("n_voxels")
        _require_equal(run, "voxels of the subject", n_voxels, data.subject.n_voxels)
        target, quirks = run.config.target, run.config.quirks
        if not (quirks.nan_voxels or uses_ceiling(target, data.subject)):
            now = target_mask(target, data.subject, None) & data.voxels
            then = np.flatnonzero(run.voxels)
            # A shared readout has only those that all listeners have.
            same = now[then].all() and (run.config.readout.shared or len(then) == now.sum())
            _require_equal(run, f"voxels of the target {target}", len(then), len(then) if same else "others")
        self.require_same_model(run)

    def require_same_model(self, run: Run) -> None:
        """RunError where the speech model is not that of run.json."""
        checksum = run.manifest["backbone"].get("checksum")
        _require_equal(run, "speech model", checksum, self._loaded(run.config)[1])

    def _loaded(self, config: RunConfig, layers: Sequence[int] = ()) -> tuple[Backbone, str]:
        key = (config.backbone.name, tuple(sorted({config.backbone.layer, *layers})))
        if key not in self._untuned:
            backbone = load_backbone(*key)
            self._untuned[key] = backbone, backbone.weights_checksum()
        return self._untuned[key]


def _require_equal(run: Run, what: str, then: Any, now: Any) -> None:
    if now != then:
        raise RunError(
            run.path / "run.json",
            f"{what}: {then} when the run was tuned, {now} now.",
            "the data set and speech model of the run, unchanged.",
            "Restore them, or tune again: a test story must not have been heard while tuning.",
        )


def with_whole_cortex(config: RunConfig, targets: Iterable[str], memory_gb: float | None) -> RunConfig:
    """The run's configuration, to score all usable voxels of cortex and list every target that a run was tuned on."""
    ridge = config.ridge if memory_gb is None else config.ridge.model_copy(update={"memory_gb": memory_gb})
    evaluation = config.evaluation
    evaluation = evaluation.model_copy(
        update={"targets": tuple(dict.fromkeys([*evaluation.targets, *targets]))}
    )
    # Voxels with a NaN have no score, whatever the loss did with them.
    quirks = config.quirks.model_copy(update={"nan_voxels": False})
    return config.model_copy(
        update={"target": "cortex", "evaluation": evaluation, "ridge": ridge, "quirks": quirks}
    )


def untuned_key(plan: ScoringPlan) -> str:
    """Plans with the same key have the same frozen scores."""
    fitted = [recording.story.name for recording in plan.fits[0].fitted]
    return untuned_model_key(plan.config) + repr(fitted)


def untuned_model_key(config: RunConfig) -> str:
    """Runs with the same key have the same frozen scores: tuning, seed and target do not touch them."""
    return config.model_dump_json(exclude=_OF_TUNING)
