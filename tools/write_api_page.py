"""Writes docs/reference/api.md from the tables of contents in the `__init__` of each folder.

python tools/write_api_page.py
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "api.md"
SOURCE = ROOT / "src" / "brainwavlm"
ROW = re.compile(r"^ *(\w+) {2,}(\S.*)$", re.MULTILINE)
ORDER = (
    "",
    "datasets",
    "checks",
    "stimulus",
    "speech",
    "encoding",
    "evaluation",
    "runs",
    "results",
    "study",
    "reporting",
    "models",
)

HEAD = """# Python

Names are imported when they are first used, so `import brainwavlm` costs nothing. What is not on this page may change.
Every function says its equation, its arguments with their shapes, and what it raises. This page is written by
`tools/write_api_page.py` from the `__init__.py` of each folder.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    seen: set[str] = set()
    for module, (title, names) in folders().items():
        rows = [f"| [`{name}`](#{anchor(module, name, seen)}) | {what} |" for name, what in names.items()]
        parts.append(
            f"## {module}\n\n{title}\n\n| name | what it is |\n| --- | --- |\n" + "\n".join(rows) + "\n"
        )
        new = [name for name in names if name not in seen]
        parts += [f"::: {module}.{name}\n" for name in new]
        seen |= set(new)
    return "\n".join(parts)


def folders() -> dict[str, tuple[str, dict[str, str]]]:
    """Module to its title and its names with a line each, for every folder whose `__init__.pyi` has names."""
    stubs = {stub.parent.relative_to(SOURCE).as_posix(): stub for stub in SOURCE.rglob("__init__.pyi")}
    contents = {}
    for folder in sorted(stubs, key=lambda f: (ORDER.index(f.split("/")[0].removeprefix(".")), f)):
        doc = ast.get_docstring(ast.parse(stubs[folder].with_suffix(".py").read_text(encoding="utf-8"))) or ""
        module = ".".join(["brainwavlm", *folder.removeprefix(".").split("/")]).rstrip(".")
        contents[module] = (doc.split("\n")[0], dict(ROW.findall(doc)))
    return contents


def anchor(module: str, name: str, seen: set[str]) -> str:
    """Where the name is described: at the first module that has it."""
    return f"brainwavlm.{name}" if name in seen else f"{module}.{name}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
