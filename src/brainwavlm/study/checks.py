"""Wrong values of cells, found before anything runs: from headers of files alone, no response is read.

What one cell shares with others is looked at once: 74 cells of one data set take seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.run_model import configured_backbone
from brainwavlm.encoding.subjects import tuned_subjects
from brainwavlm.errors import BrainwavlmError, ConfigError
from brainwavlm.evaluation.downstream import task_of
from brainwavlm.evaluation.evaluator import OF_THE_DATA, Evaluator, untuned_model_key, with_whole_cortex
from brainwavlm.evaluation.layers import chosen_layers
from brainwavlm.evaluation.learning_curve import require_minutes, require_whole_story
from brainwavlm.evaluation.probes.question import asked_features, question_of
from brainwavlm.evaluation.probes.tasks import require_controls
from brainwavlm.evaluation.scoring_plan import ModelSize, ScoringPlan
from brainwavlm.runs.subject_views import heard_by, subject_views
from brainwavlm.study.cells import Cell
from brainwavlm.study.description import Study
from brainwavlm.study.options import EvaluateOptions

_OF_LISTENERS = {*OF_THE_DATA, "joint", "train_minutes", "train_from", "control", "readout"}
_OF_THE_MODEL: dict[str, Any] = {
    "backbone": True,
    "adapter": True,
    "quirks": {"run_unused_blocks"},
    "windows": {"mode"},
}
# What a study's file calls what these name.
_KEYS = {
    "transfer": {"subject": "transfer.subjects", "splits": "transfer.test"},
    "probe": {"features": "probe.features", "controls": "probe.controls"},
}


def require_runnable(study: Study, cells: Iterable[Cell]) -> None:
    """Raise what is known to go wrong in a cell, with the file and the experiment.

    Raises
    ------
    BrainwavlmError
        An unknown subject, story, target or hidden state; options of `evaluate` or `transfer` that these refuse; too
        little training data. Not: voxels that are NaN in some story, or what a machine lacks.
    """
    checks = _Checks()
    for cell in cells:
        for step in cell.steps:
            unasked = EvaluateOptions() if step == "evaluate" else None
            asks = (getattr(study.experiments[name], step, unasked) for name in cell.experiments)
            asking = next((number for number, asked in enumerate(asks) if asked != unasked), 0)
            with naming_cell(place_of(cell, study.source, asking), _KEYS.get(step, {})):
                getattr(checks, step)(cell)


def place_of(cell: Cell, source: str, number: int = 0) -> str:
    """Where the file of a study asks for a cell: `demo.yaml: experiments.losses (seed=0)`.

    `number`: which of the experiments that ask for it.
    """
    name = cell.experiments[number]
    varied = ", ".join(f"{key}={value}" for key, value in cell.varied[name].items())
    return f"{source}: experiments.{name}" + (f" ({varied})" if varied else "")


@contextmanager
def naming_cell(where: str, keys: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Errors within name the cell's place in the file; `keys` are what it calls some of theirs."""
    try:
        yield
    except BrainwavlmError as error:
        place = f"{where}: {keys.get(error.path, error.path)}"
        raise type(error)(place, error.found, error.expected, error.remedy) from None


class _Checks:
    """What each step asks of a cell, by its name; what has been looked at is not again."""

    def __init__(self) -> None:
        self._evaluator = Evaluator(None, None, scanned=False)
        self._plans: dict[str, ScoringPlan] = {}
        self._models: dict[str, ModelSize] = {}
        self._right: set[str] = set()

    def tune(self, cell: Cell) -> None:
        """Speech model and adapters; listeners, stories, targets and controls."""
        config = cell.config
        self._model(config)
        drawn = str(config.seed) if config.train_minutes is not None else ""
        if self._once(
            f"listeners {drawn} {config.loss.ceiling_weighted}", config.model_dump_json(include=_OF_LISTENERS)
        ):
            for subject in tuned_subjects(config, lambda view: self._evaluator.data(view).while_tuning(view)):
                subject.data.voxel_weights(config.loss, torch.device("cpu"))

    def evaluate(self, cell: Cell) -> None:
        """The rows that are to be scored, further hidden states and tasks."""
        model = self._model(cell.config)
        chosen_layers(cell.evaluate.layers, model.n_blocks)
        for view in subject_views(cell.config):
            scored = with_whole_cortex(view, (view.target,), cell.evaluate.memory_gb)
            plan = self._plan(scored, model)
            for task in cell.evaluate.downstream:
                if self._once(f"task {task}", untuned_model_key(scored)):
                    task_of(task, plan, model.min_samples)

    def transfer(self, cell: Cell) -> None:
        """Listeners, hidden state, amounts of data, test stories."""
        config, options = cell.config, cell.transfer
        assert options is not None
        require_minutes(options.minutes, options.draws)
        model = self._model(config)
        if options.layer is not None and options.layer > model.n_blocks:
            raise ConfigError(
                "transfer.layer",
                f"{options.layer}.",
                f"hidden states from 0 to {model.n_blocks}.",
                "Change it.",
            )
        views = {view.dataset: view for view in reversed(subject_views(config))}
        datasets = {name: load_dataset(name) for name in views}
        for who in options.subjects or ():
            if not any(who in dataset.subject_names for dataset in datasets.values()):
                datasets[config.dataset].require_subject(who)
        for name, dataset in datasets.items():
            for who in dataset.subject_names:
                asked = f"transfer to {who} {options.test} {options.minutes}", untuned_model_key(views[name])
                if (options.subjects is None or who in options.subjects) and self._once(*asked):
                    view = heard_by(views[name], dataset.subject(who), options.test)
                    plan = self._plan(with_whole_cortex(view, (), None), model, tested=False)
                    require_whole_story(plan.data, options.minutes)

    def probe(self, cell: Cell) -> None:
        """Its features, whose values are made once, its controls and its hidden states."""
        config, options = cell.config, cell.probe
        assert options is not None
        model = self._model(config)
        require_controls(options.controls)
        chosen_layers(options.layers, model.n_blocks, "probe.layers")
        features, _ = asked_features(options.features)
        for view in subject_views(config):
            if self._once(f"probe {options.features}", untuned_model_key(view)):
                plan = self._plan(with_whole_cortex(view, (), None), model, tested=False)
                question_of(features, plan, model.min_samples, model.n_dims, ())

    def _once(self, what: str, content: str) -> bool:
        """Whether this has not been asked before."""
        key = f"{what} {content}"
        new = key not in self._right
        self._right.add(key)
        return new

    def _plan(self, config: RunConfig, model: ModelSize, tested: bool = True) -> ScoringPlan:
        key = f"{untuned_model_key(config)} {tested}"
        if key not in self._plans:
            self._plans[key] = ScoringPlan.of(self._evaluator.data(config), config, model, tested=tested)
        return self._plans[key]

    def _model(self, config: RunConfig) -> ModelSize:
        """The speech model of a run, which is loaded once with each adapter."""
        key = config.model_dump_json(include=_OF_THE_MODEL)
        if key not in self._models:
            with torch.random.fork_rng(devices=[]):  # new adapters draw from the caller's generator
                backbone = configured_backbone(config)
            self._models[key] = ModelSize(backbone.n_dims, backbone.min_samples, backbone.n_blocks)
        return self._models[key]
