"""The cells of a study: one for each run that its experiments ask for, with a name that nothing else in it has."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field

from brainwavlm.config import RunConfig, Step, load_config
from brainwavlm.errors import ConfigError
from brainwavlm.study.description import Experiment, Study, above
from brainwavlm.study.options import EvaluateOptions, ProbeOptions, TransferOptions

Listener = tuple[str, str]  # data set, subject


def tuners(config: RunConfig) -> tuple[Listener, ...]:
    """Whose responses tune the model: the configured subject first, as the sides of its run are."""
    further = ((other.dataset or config.dataset, other.subject) for other in config.joint)
    return ((config.dataset, config.subject), *further)


def naming(configs: Iterable[RunConfig]) -> Callable[[Listener], str]:
    """A function from listeners to their names: the subject, after the data set where a study has several.

    A data set is named by its folder; by the whole path where two folders have one name.
    """
    datasets = list(dict.fromkeys(dataset for config in configs for dataset, _ in tuners(config)))
    folders = Counter(Path(dataset).name for dataset in datasets)

    def name(listener: Listener) -> str:
        dataset, subject = listener
        if len(datasets) == 1:
            return subject
        folder = Path(dataset).name
        return f"{folder if folders[folder] == 1 else dataset}:{subject}"

    return name


FURTHER = ("transfer", "probe")  # what is done where an experiment asks for it
ALWAYS_NAMED = ("subject", "target", "adapter.method")


class Cell(Step):
    """One run of a study and what is done with it.

    Attributes
    ----------
    name : str
        Unique in the study, readable.
    config : RunConfig
        Anchored: folders are named from the root.
    experiments : tuple of str
        Those that ask for it.
    varied : dict of str to dict
        By experiment: the keys that it varies, with this cell's values as the file gives them.
    evaluate : EvaluateOptions
    transfer : TransferOptions or None
    probe : ProbeOptions or None
    """

    name: str = ""
    experiments: tuple[str, ...] = Field(min_length=1)
    varied: dict[str, dict[str, Any]] = Field({})
    evaluate: EvaluateOptions = EvaluateOptions()
    transfer: TransferOptions | None = None
    probe: ProbeOptions | None = None
    config: RunConfig

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done with it."""
        return ("tune", "evaluate", *(step for step in FURTHER if getattr(self, step) is not None))


def cells_of(study: Study) -> list[Cell]:
    """All cells in the order of the file; a run that two experiments ask for is one cell.

    Raises
    ------
    ConfigError
        A key or a value that no run has, an `exclude` that leaves nothing out, an experiment without cells, or two
        experiments that want one run scored in two ways. File, experiment and key are named.
    """
    from brainwavlm.encoding.run_data import anchored

    cells: dict[str, Cell] = {}
    for name, experiment in study.experiments.items():
        source = f"{study.source}: experiments.{name}"
        of_all, probes = above(study.base, experiment.set), experiment.probe and experiment.probe.anchored()
        for point in points(experiment, source):
            settings = above(of_all, point)
            where = ", ".join(f"{key}={value}" for key, value in point.items())
            config = anchored(
                load_config(
                    preset=study.preset,
                    overrides=settings,
                    source=f"{source} ({where})" if where else source,
                )
            )
            key, said = config.model_dump_json(), config.model_dump(mode="json")
            varied = {k: point[k] if k in point else value_of(said, k) for k in experiment.varied_keys}
            cell = Cell(
                config=config,
                experiments=(name,),
                varied={name: varied},
                evaluate=experiment.evaluate,
                transfer=experiment.transfer,
                probe=probes,
            )
            cells[key] = _shared(cells[key], cell, source) if key in cells else cell
    return _named(list(cells.values()), study)


def points(experiment: Experiment, source: str) -> list[dict[str, Any]]:
    """Settings of each cell above those of the experiment: the grid without what is excluded, then `include`.

    Without a grid there is one cell of `set` alone, or only those of `include`.
    """
    combinations = [
        dict(zip(experiment.grid, values, strict=True)) for values in product(*experiment.grid.values())
    ]
    if not experiment.grid and experiment.include:
        combinations = []
    kept = [point for point in combinations if not any(_matches(point, some) for some in experiment.exclude)]
    for some in experiment.exclude:
        if not any(_matches(point, some) for point in combinations):
            raise ConfigError(
                source,
                f"exclude {json.dumps(some, default=str)}, which no cell of the grid is.",
                f"keys of the grid ({', '.join(experiment.grid) or 'there is none'}) with values that it has.",
                "Correct it, or remove it.",
            )
    kept += experiment.include
    if not kept:
        raise ConfigError(source, "no cell is left.", "one cell or more.", "Exclude less, or remove it.")
    return kept


def value_of(config: Mapping[str, Any], key: str) -> Any:
    """What a dumped configuration says under a dotted key; None where it has no such key."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _matches(point: Mapping[str, Any], some: Mapping[str, Any]) -> bool:
    return all(key in point and point[key] == value for key, value in some.items())


def _shared(cell: Cell, other: Cell, source: str) -> Cell:
    """One cell for two that ask for the same run; where one of them has no wish how it is scored, the other has."""
    further = {}
    for step in FURTHER:
        asked, wish = getattr(cell, step), getattr(other, step)
        further[step] = wish if asked is None else asked
        if wish not in (None, further[step]):
            raise _otherwise(step, cell, source)
    new = tuple(name for name in other.experiments if name not in cell.experiments)
    changes = {
        "experiments": cell.experiments + new,
        "varied": cell.varied | {name: other.varied[name] for name in new},
        "evaluate": _both(cell, other.evaluate, source),
        **further,
    }
    return cell.model_copy(update=changes)


def _both(cell: Cell, more: EvaluateOptions, source: str) -> EvaluateOptions:
    """What both ask for: of each option, that of the experiment which has a wish."""
    asked, wishes = cell.evaluate.model_dump(), more.model_dump()
    nothing = EvaluateOptions().model_dump()
    for key, wish in wishes.items():
        if asked[key] == nothing[key]:
            asked[key] = wish
        elif wish not in (nothing[key], asked[key]):
            raise _otherwise(f"evaluate.{key}", cell, source)
    return EvaluateOptions(**asked)


def _otherwise(what: str, cell: Cell, source: str) -> ConfigError:
    return ConfigError(
        source,
        f"{what} in another way than in experiment {cell.experiments[0]}, for the same run.",
        "one way to score each run.",
        f"Give both experiments the same `{what}`.",
    )


def _named(cells: Sequence[Cell], study: Study) -> list[Cell]:
    """Cells with names made of whose, which voxels, how tuned, what is not as in most other cells, and the seed."""
    varied = dict.fromkeys(key for e in study.experiments.values() for key in e.varied_keys)
    keys = [*ALWAYS_NAMED, *(key for key in varied if key not in (*ALWAYS_NAMED, "seed")), "seed"]
    said = (cell.config.model_dump(mode="json") for cell in cells)
    dumped = [{key: json.dumps(value_of(config, key)) for key in keys} for config in said]
    usual = {key: Counter(values[key] for values in dumped).most_common(1)[0][0] for key in keys}
    names = []
    for values in dumped:
        told = [key for key in keys if key in (*ALWAYS_NAMED, "seed") or values[key] != usual[key]]
        names.append("-".join(_label(key, json.loads(values[key])) for key in told)[:120])
    times = Counter(names)
    return [
        cell.model_copy(update={"name": name if times[name] == 1 else f"{name}-{digest(cell.config)[:4]}"})
        for cell, name in zip(cells, names, strict=True)
    ]


def digest(config: RunConfig) -> str:
    """SHA-256 of a configuration."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def _label(key: str, value: Any) -> str:
    """A value as part of a file's name: sim01, seed0, delays1+2."""
    last = key.split(".")[-1]
    if isinstance(value, str):
        text = Path(value).name
    elif isinstance(value, list):
        text = last + "+".join(map(_part, value))
    else:
        text = last + json.dumps(value)
    return re.sub(r"[^\w.+]+", "_", text).strip("_.")[:40] or last


def _part(value: Any) -> str:
    if isinstance(value, Mapping):  # a listener of `joint`
        return "_".join(_part(some) for some in value.values() if some not in (None, "start"))
    return Path(value).name if isinstance(value, str) else json.dumps(value)
