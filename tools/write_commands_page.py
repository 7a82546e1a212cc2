"""Writes docs/reference/commands.md from the help of the command line.

python tools/write_commands_page.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from brainwavlm.cli import app

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"

HEAD = """# Commands

`brainwavlm COMMAND --help` says the same in the terminal. `DATASET` is a folder of data or the word `demo`. Exit
codes: 0 done, 1 a run failed, 2 bad input or settings. This page is written by `tools/write_commands_page.py`.
"""


def page() -> str:
    """The whole page."""
    commands = dict(_commands(get_command(app), "brainwavlm"))
    lines = ["| command | what it does |", "| --- | --- |"]
    lines += [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {command.get_short_help_str(200)} |"
        for name, command in commands.items()
    ]
    return "\n".join([HEAD, *lines, "", *(_section(name, command) for name, command in commands.items())])


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for key, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {key}")
        else:
            yield f"{name} {key}", command


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _section(name: str, command: Any) -> str:
    arguments = [_argument(one) for one in command.params if not one.opts[0].startswith("-")]
    usage = " ".join([name, *arguments, "[OPTIONS]"])
    text = " ".join((command.help or "").split("\n\n")[0].split())
    rows = ["| argument or option | meaning | default |", "| --- | --- | --- |"]
    for parameter in command.params:
        option = parameter.opts[0].startswith("-")
        names = ", ".join(parameter.opts + parameter.secondary_opts) if option else _argument(parameter)
        default = (
            "" if parameter.default in (None, (), False) or parameter.required else f"`{parameter.default}`"
        )
        meaning = (getattr(parameter, "help", None) or "").replace("|", "\\|")
        required = "required" if parameter.required else default
        rows.append(f"| `{names}` | {meaning} | {required} |")
    return "\n".join([f"## `{name}`", "", text, "", "```text", usage, "```", "", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
