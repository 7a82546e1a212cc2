"""What all parts of a configuration have in common."""

from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator

from brainwavlm.files import one_form

Name = Annotated[str, AfterValidator(one_form)]  # of a story or a subject


class Step(BaseModel):
    """Frozen settings of one step; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[info.field_name or ""].annotation
        if value is False and "no" in get_args(kind):
            return "no"  # as YAML reads an unquoted no
        values = value if isinstance(value, (list, tuple)) else [value]
        if kind is not bool and any(isinstance(one, bool) for one in values):
            raise ValueError("a value of another type than true or false")
        return value


def without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A validator: no value twice."""
    if len(set(values)) < len(values):
        raise ValueError("each value once")
    return values
