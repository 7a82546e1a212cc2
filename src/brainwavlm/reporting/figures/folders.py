"""What of results a figure shows: what was chosen, what lies at a path, and the runs of evaluations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.figures.kinds import KINDS, MAKERS, QUANTITIES, READOUTS, VIEWS, Kind
from brainwavlm.reporting.page.wording import run_labels
from brainwavlm.results.open import RESULTS, Made, made_at, open_result, within_run
from brainwavlm.results.run_voxels import RunVoxels
from brainwavlm.runs.run import open_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from brainwavlm.reporting.figures.style import Canvas


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value or ())


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Choice(BaseModel):
    """What of a result is shown; empty: what the kind shows by itself. ConfigError for what cannot be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Annotated[tuple[Literal[QUANTITIES], ...], BeforeValidator(_listed)] = ()  # type: ignore[valid-type]
    target: Names = ()
    run: Names = ()
    readout: Literal[READOUTS] | None = None  # type: ignore[valid-type]
    view: Literal[VIEWS] | None = None  # type: ignore[valid-type]
    q: float | None = Field(None, gt=0, le=1)  # maps show voxels with a false discovery rate below it
    experiment: Names = ()
    title: str = ""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            first = error.errors()[0]
            option, found = str(first["loc"][0]), f"{first['input']!r}."
            expected = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            raise ConfigError(option, found, f"{expected}.", "Choose another.") from None

    @field_validator("title")
    @classmethod
    def _one_line(cls, title: str) -> str:
        if not title.isprintable():
            raise ValueError("one line of letters")
        return title


def kind_named(name: str, choice: Choice) -> Kind:
    """A kind of figure that knows every option given. ConfigError where there is none, or it has no such option."""
    kind = KINDS[one_name("kind", [name], KINDS)]
    for option in choice.model_dump(exclude_defaults=True):
        if option not in (*kind.options, "title"):
            expected = f"one of {', '.join(kind.options)}."
            raise ConfigError(option, f"given for {name}.", expected, "Leave it out.")
    return kind


@dataclass(frozen=True)
class Place:
    """A folder, and which command made it."""

    made: Made
    path: Path

    @cached_property
    def result(self) -> Any:
        """What is there: a result, or the findings of a study so far."""
        if self.made != "study":
            return open_result(self.path)
        from brainwavlm.study.claims.table import claims_of
        from brainwavlm.study.folder import open_study

        return claims_of(open_study(self.path))

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What summary.json of an evaluation says of its runs; of a run alone, as far as its course needs it."""
        if self.made != "run":
            return list(self.result.runs)
        run = open_run(self.path)
        return [{"name": self.path.resolve().name, "best": run.best, "history": run.history, **run.facts}]


class Shown(NamedTuple):
    """What a figure shows: exactly its values, in long form; whether any response behind them is simulated.

    `draw` makes the figure while the canvas's style is applied; a table has none, and is in `tex` as LaTeX.
    """

    values: pd.DataFrame
    simulated: bool
    draw: "Callable[[Canvas], Figure] | None" = None
    tex: str = ""


@dataclass(frozen=True)
class Scored:
    """One run of an evaluation: in words, different for all runs of a figure; its entry in summary.json."""

    label: str
    entry: Mapping[str, Any]
    place: Place
    readout: str = "voxelwise"
    space: str = ""  # of a partition

    @property
    def name(self) -> str:
        """Its name in the evaluation's tables."""
        return str(self.entry["name"])

    @property
    def results(self) -> Any:
        """An evaluation, or a partition."""
        return self.place.result

    @property
    def voxels(self) -> RunVoxels:
        """Its scores, voxel by voxel, of the readout that is shown; or the unique share of a space."""
        voxels = self.results.of_run(self.name, *[self.space] * bool(self.space))
        return voxels.shared() if self.readout == "shared" else voxels


def place_of(path: str | Path, name: str, kind: Kind) -> Place:
    """The folder that a figure of this kind, and name, is made of: the one at a path, or that within a run there.

    RunError where nothing is there, or the result of another command.
    """
    folder = Path(path)
    made = made_at(folder)
    if made in kind.made_of:
        return Place(made, folder)
    for one in RESULTS if made == "run" else ():
        if one in kind.made_of and (result := within_run(folder, one)):
            return Place(one, result)
    wanted = " or ".join(_with_article(one) for one in kind.made_of)
    remedy = "Make it:  " + "   or   ".join(MAKERS[one] for one in kind.made_of)
    if made is None:
        found, wanted = "no such folder.", f"the folder of {wanted}"
        if folder.is_dir():
            found = "nothing that this program wrote."
    elif made == "run":
        one = next(some for some in kind.made_of if some != "run")
        maker = MAKERS[one].replace(" RUN...", f" {folder}").replace(" RUN", f" {folder}")
        found, remedy = f"a run without {_with_article(one)}.", f"Make it:  {maker}"
    else:
        found, wanted = f"the folder of {_with_article(made)}.", f"that of {wanted}"
        others = ", ".join(other for other, some in KINDS.items() if made in some.made_of)
        remedy += f"   or draw another kind of this folder: {others}." if others else ""
    raise RunError(folder, found, f"{wanted}, for {name}.", remedy)


def scored_runs(places: Sequence[Place], choice: Choice) -> list[Scored]:
    """The runs of evaluations, or those of them that were named.

    RunError where an evaluation is damaged, or two runs have one name; ConfigError where none has a name asked for.
    """
    if len({place.made == "run" or place.result.tuned for place in places}) > 1:
        found = "models that were tuned and others that were not."
        raise RunError(
            paths_of(places), found, "runs of `evaluate`, or what `ridge` wrote.", "Draw them apart."
        )
    runs = chosen_runs(places, choice)
    labels = run_labels([entry for entry, _ in runs])
    readout = choice.readout or "voxelwise"
    return [Scored(labels[entry["name"]], entry, place, readout) for entry, place in runs]


def chosen_runs(places: Sequence[Place], choice: Choice) -> list[tuple[dict[str, Any], Place]]:
    """Entries of runs with their places, of those that were named; errors as of `scored_runs`."""
    runs = [(entry, place) for place in places for entry in place.runs]
    names = [str(entry["name"]) for entry, _ in runs]
    for name in (name for name in names if names.count(name) > 1):
        found = f"several runs with the name {name}."
        raise RunError(paths_of(places), found, "a name for each run.", "Draw them one by one.")
    chosen = chosen_names("run", choice.run, names)
    return [(entry, place) for entry, place in runs if entry["name"] in chosen]


def any_simulated(runs: Sequence[Scored]) -> bool:
    """Whether any of the responses behind runs are simulated."""
    return any(run.entry["simulated"] for run in runs)


def paths_of(places: Iterable[Place]) -> str:
    """For errors."""
    return ", ".join(str(place.path) for place in places)


def chosen_names(option: str, asked: Sequence[str], there: Iterable[str]) -> list[str]:
    """Names that were asked for, or all. ConfigError where one of them is not there."""
    names = list(dict.fromkeys(there))
    for name in asked:
        if name not in names:
            raise ConfigError(option, f"{name!r}.", f"one of {', '.join(names)}.", "Choose one of them.")
    return list(dict.fromkeys(asked)) or names


def one_name(option: str, asked: Sequence[str], there: Iterable[str]) -> str:
    """The name that was asked for, or the only one. ConfigError where there are several."""
    first, *others = names = chosen_names(option, asked, there)
    if others:
        listed = ", ".join(names)
        raise ConfigError(option, f"{len(names)} {option}s.", "one of them.", f"Choose one of {listed}.")
    return first


def main_target(targets: Sequence[str]) -> str:
    """Whole cortex where it is there, else the first."""
    return "cortex" if "cortex" in targets else targets[0]


def _with_article(made: str) -> str:
    return made if made == "probes" else f"an {made}" if made == "evaluation" else f"a {made}"
