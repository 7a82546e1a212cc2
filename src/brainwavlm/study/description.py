"""The file of a study: which runs it asks for, experiment by experiment, and what is done with each."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from brainwavlm.config import Step, flattened, read_yaml, validated
from brainwavlm.errors import ConfigError
from brainwavlm.study.claims.verdicts import CLAIMS
from brainwavlm.study.options import EvaluateOptions, ProbeOptions, TransferOptions

FORMAT = 1


class Experiment(Step):
    """Cells that answer one question. Keys of runs are written with dots, e.g. adapter.method."""

    claim: int | None = Field(None, ge=1, description="Row of the table of claims that this belongs to.")
    question: str = Field("", description="What it asks, as a sentence.")
    set: dict[str, Any] = Field({}, description="Settings of every cell, above those of the study.")
    grid: dict[str, tuple[Any, ...]] = Field(
        {}, description="Values by key: a cell for each combination of them."
    )
    include: tuple[dict[str, Any], ...] = Field(
        (), description="Further cells: settings above `set`, without the grid."
    )
    exclude: tuple[dict[str, Any], ...] = Field(
        (), description="Cells of the grid that have all these values are left out."
    )
    contrast: str | tuple[str, ...] | None = Field(
        None, description="Key or keys whose values the report compares."
    )
    evaluate: EvaluateOptions = EvaluateOptions()
    transfer: TransferOptions | None = Field(
        None, description="Also score each cell in other listeners; null: not."
    )
    probe: ProbeOptions | None = Field(
        None, description="Also read features of the stimulus off each cell's hidden states; null: not."
    )

    @field_validator("claim")
    @classmethod
    def _known(cls, claim: int | None) -> int | None:
        if claim is not None and claim not in CLAIMS:
            raise ValueError(f"a claim of docs/results/claims.md, from {min(CLAIMS)} to {max(CLAIMS)}")
        return claim

    @model_validator(mode="after")
    def _each_setting_once(self) -> "Experiment":
        for settings in (self.grid, *self.include):
            for key, part in combinations(sorted(settings, key=len), 2):
                if _within(key, part):
                    raise ValueError(f"{key} or {part}, not both: the second is part of the first")
        return self

    @field_validator("grid")
    @classmethod
    def _some_values(cls, grid: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for key, values in grid.items():
            if not values or any(value in values[:place] for place, value in enumerate(values)):
                raise ValueError(f"one value or more for {key}, each once")
        return grid

    @property
    def varied_keys(self) -> tuple[str, ...]:
        """Keys of the grid, then those that only `include` names."""
        return tuple(dict.fromkeys([*self.grid, *(key for further in self.include for key in further)]))

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The keys of `contrast`, none or more."""
        return (self.contrast,) if isinstance(self.contrast, str) else self.contrast or ()


class Study(Step):
    """A study: settings that all its cells share, and its experiments by name."""

    format: Literal[1] = Field(description="1.")
    name: str = Field(min_length=1, max_length=100, description="A word for it.")
    title: str = Field("", description="One sentence.")
    preset: str | None = Field(None, description="Base of every cell, as in the file of a run.")
    base: dict[str, Any] = Field({}, description="Settings of every cell above the preset, nested or dotted.")
    share_frontends: bool = Field(
        False,
        description="Compute the frozen frontend's output of each sound once for all cells and keep it in "
        "STUDY/frontends (training.frontend_folder): for small data, it takes as many GB as a run would in memory.",
    )
    experiments: dict[str, Experiment] = Field(min_length=1, description="By name.")
    _source: str = PrivateAttr("study")

    @field_validator("experiments")
    @classmethod
    def _nameable(cls, experiments: dict[str, Experiment]) -> dict[str, Experiment]:
        for name in experiments:
            if not re.fullmatch(r"\w[\w.-]{0,79}", name):
                raise ValueError(f"names of letters, digits, _, . and -, which {name!r} is not")
        return experiments

    @property
    def source(self) -> str:
        """The file it came from, for messages."""
        return self._source

    def with_settings(self, settings: dict[str, Any]) -> "Study":
        """The study with settings (by dotted key, as `--set` gives them) above those of every experiment.

        ConfigError for a key that an experiment varies: its cells would no longer differ.
        """
        for key in settings:
            for name, experiment in self.experiments.items():
                if any(key == varied or _within(key, varied) for varied in experiment.varied_keys):
                    raise ConfigError(
                        key,
                        f"varied by experiment {name}.",
                        "keys that all cells of an experiment share.",
                        "Change the file of the study, or choose experiments.",
                    )
        experiments = {
            name: experiment.model_copy(update={"set": above(experiment.set, settings)})
            for name, experiment in self.experiments.items()
        }
        return self.model_copy(update={"experiments": experiments})


def load_study(path: str | Path) -> Study:
    """The study in a YAML file.

    Raises
    ------
    ConfigError
        Not readable, an unknown key (the nearest known one is named) or a wrong value.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            path,
            "a folder." if path.is_dir() else "no such file.",
            "the YAML file of a study.",
            "Give its path, e.g. studies/demo.yaml.",
        )
    return study_from(read_yaml(path), str(path))


def study_from(values: dict[str, Any], source: str) -> Study:
    """`load_study` of what a file says; `source` is named in messages."""
    experiments = values.get("experiments")
    if isinstance(experiments, dict):
        for name, content in experiments.items():
            # One by one: an unknown key of an experiment is told apart from those of the study.
            if isinstance(content, dict):
                validated(Experiment, content, f"{source}: experiments.{name}")
    study: Study = validated(Study, values, source)
    study._source = source
    for name, experiment in study.experiments.items():
        for key in experiment.contrasts:
            if key not in experiment.varied_keys:
                raise ConfigError(
                    f"{source}: experiments.{name}",
                    f"contrast {key}, which no cell varies.",
                    f"one of {', '.join(experiment.varied_keys) or 'the keys of grid'}.",
                    "Correct contrast, or vary the key in grid or include.",
                )
    return study


def above(below: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted key, `more` after `below`: of the same key, the later value counts."""
    later = flattened(more, keep_empty=True)
    return {
        key: value for key, value in flattened(below, keep_empty=True).items() if key not in later
    } | later


def _within(key: str, other: str) -> bool:
    """Whether one of two dotted keys is part of the other."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")
