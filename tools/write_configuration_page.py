"""Writes docs/reference/configuration.md from the configuration models, the only place where defaults live.

python tools/write_configuration_page.py
"""

from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from brainwavlm.config import RunConfig

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "configuration.md"

HEAD = """# Configuration

One YAML file is one run. Every key has a default but `subject`; `preset: NAME` in the file, or `--preset NAME`, takes
the presets `paper`, `authors-2026`, `recommended` or `demo` as the base, and `--set training.epochs=3` stands above
both. An unknown key is an error that names the nearest known one.

```yaml
preset: recommended
dataset: /data/ds003020
subject: UTS03
target: cortex
training: {epochs: 10}
```

This page is written by `tools/write_configuration_page.py` from the models in `brainwavlm/config`.
"""


def page() -> str:
    """The whole page."""
    plain = {name: f for name, f in RunConfig.model_fields.items() if not _is_step(f)}
    parts = [HEAD, _table("The run", "", plain)]
    for name, field in RunConfig.model_fields.items():
        if _is_step(field):
            model: Any = field.annotation
            title = f"`{name}`: {model.__doc__.strip().splitlines()[0].rstrip('.')}"
            parts.append(_table(title, f"{name}.", model.model_fields))
    return "\n".join(parts)


def _table(title: str, prefix: str, fields: dict[str, FieldInfo]) -> str:
    rows = [f"## {title}", "", "| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in fields.items():
        default = "required" if field.is_required() else f"`{_shown(field.default)}`"
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {_values(field.annotation)} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _values(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:  # limits of the values are told by the error, not by the page
        return _values(get_args(annotation)[0])
    if get_args(annotation) and all(isinstance(value, str) for value in get_args(annotation)):
        return ", ".join(get_args(annotation))
    if get_origin(annotation) is dict:
        key, value = get_args(annotation)
        return f"map of {_values(key)} to {_values(value)}"
    if get_origin(annotation) is tuple:
        return f"list of {_values(get_args(annotation)[0])}"
    if get_args(annotation):
        return " or ".join("null" if part is type(None) else _values(part) for part in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "maps of " + ", ".join(annotation.model_fields)
    return {str: "text", int: "integer", float: "number", bool: "true, false"}.get(
        annotation, str(annotation)
    )


def _shown(default: Any) -> str:
    if default is None:
        return "null"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return "[" + ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in default) + "]"
    return str(default)


def _is_step(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
