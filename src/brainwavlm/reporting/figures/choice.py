"""What of a result a figure shows. Apart from the kinds, which the help of the command names without pydantic."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from brainwavlm.errors import ConfigError
from brainwavlm.reporting.figures.kinds import KINDS, QUANTITIES, READOUTS, VIEWS, Kind


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
    if name not in KINDS:
        raise ConfigError("kind", f"{name!r}.", f"one of {', '.join(KINDS)}.", "Choose one of them.")
    kind = KINDS[name]
    for option in choice.model_dump(exclude_defaults=True):
        if option not in (*kind.options, "title"):
            expected = f"one of {', '.join(kind.options)}."
            raise ConfigError(option, f"given for {name}.", expected, "Leave it out.")
    return kind
