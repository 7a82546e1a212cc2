"""Options and arguments that commands share, and what is made of them."""

import json as json_module
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from brainwavlm.config import RunConfig
    from brainwavlm.errors import BrainwavlmError
    from brainwavlm.runs.run import Run


def option(*words: str, **more: Any) -> Any:
    """An option of a command: its help, after its names where the parameter's own does not do."""
    return typer.Option(*words[:-1], help=words[-1], **more)


def results_in(name: str) -> Any:
    """The option of a command that scores runs, for the folder of what it finds."""
    return option("--output", "-o", f"Folder for tables; default: first RUN/{name}.")


def gigabytes_of(memory: str) -> float:
    """8.0 of "8GB"."""
    from brainwavlm.config import gigabytes

    return gigabytes(memory, "--memory")


def argument(text: str, show_default: bool = False, **more: Any) -> Any:
    return typer.Argument(help=text, show_default=show_default, **more)


DatasetArgument = Annotated[str, argument("Folder of a data set (native or ds003020), or the word demo.")]
ConfigArgument = Annotated[Path | None, argument("YAML file of the run; may be left out with --preset.")]
PresetOption = Annotated[
    str | None, option("--preset", "paper, authors-2026, recommended or demo: the base of the run.")
]
SetOption = Annotated[
    list[str] | None, option("--set", "key=value over file and preset, e.g. training.epochs=3. Repeatable.")
]
SubjectOption = Annotated[str | None, option("--subject", "Name of the subject.")]
BackboneOption = Annotated[str | None, option("--backbone", "Hub id or local folder of the speech model.")]
LayerOption = Annotated[int | None, option("--layer", "Hidden state that is read.")]
TargetOption = Annotated[
    str | None, option("--target", "Voxels: cortex, AC, LH, aparc:bankssts, cortex-AC, ceiling>0.4, a file.")
]
FrameOption = Annotated[str | None, option("--frame", "Frames of a window: last, first or mean.")]
ContextOption = Annotated[float | None, option("--context", "Seconds of sound in a window.")]
StrideOption = Annotated[float | None, option("--stride", "Seconds between windows.")]
SeedOption = Annotated[int | None, option("--seed", "Seed of weights, order and dropout.")]
JointOption = Annotated[
    list[str] | None,
    option("--joint", "Further subject who tunes the same model, with their own readout; repeatable."),
]
DeviceOption = Annotated[str | None, option("--device", "auto, cpu or cuda.")]
MemoryOption = Annotated[
    float | None,
    option(
        "--memory",
        "What ridge may use, e.g. 8GB: decides voxels solved at once.",
        parser=gigabytes_of,
        metavar="<str>",
    ),
]
RunsArgument = Annotated[list[Path], argument("Folders of tuning runs.")]
OutputOption = Annotated[Path, option("--output", "New folder for what is made.", show_default=False)]
FeaturesOption = Annotated[Path | None, option("--features", "Folder of features to read and add to.")]
JsonOption = Annotated[bool, option("--json", "Print JSON for machines instead of text.")]


OPTION_KEYS = {
    "dataset": "dataset",
    "subject": "subject",
    "backbone": "backbone.name",
    "layer": "backbone.layer",
    "target": "target",
    "frame": "windows.frame",
    "context": "windows.context",
    "stride": "windows.stride",
    "seed": "seed",
    "device": "device",
    "memory": "ridge.memory_gb",
    "joint": "joint",
}


def config_of(
    path: Path | None,
    preset: str | None,
    set_: list[str] | None,
    options: dict[str, Any],
    subject_needed: bool = True,
    base: dict[str, Any] | None = None,
) -> "RunConfig":
    from brainwavlm.config import load_config, parse_overrides
    from brainwavlm.errors import ConfigError

    typed = parse_overrides(set_ or [])
    joint = [{"subject": name} for name in options.get("joint") or ()] or None
    options = options | {"joint": joint}
    given = {key: options[name] for name, key in OPTION_KEYS.items() if options.get(name) is not None}
    for key in typed.keys() & given.keys():
        if typed[key] != given[key]:
            told = f"{key}={typed[key]}, beside {given[key]} for the same."
            raise ConfigError("set", told, f"{key} once.", "Leave one of them out.")
    overrides = {**(base or {}), **typed, **given}
    if not subject_needed:
        overrides.setdefault("subject", "none")
    return load_config(path, preset, overrides)


def in_words_of(error: "BrainwavlmError", command: Any) -> str:
    """The message of an error, with the option of the running command in place of the key that it sets."""
    from brainwavlm.config import known_keys

    names = {key: name for name, key in OPTION_KEYS.items()}
    name = names.get(error.key, error.key.removeprefix(f"{command.name}."))
    parameters = {str(parameter.name).rstrip("_"): parameter for parameter in command.params}
    if name in parameters:
        parameter = parameters[name]
        is_option = parameter.param_type_name == "option"
        return error.told(parameter.opts[0] if is_option else (parameter.metavar or name.upper()))
    if "set" in parameters and error.key in known_keys():
        return f"{error}\n    For this command:  --set {error.key}=VALUE"
    return str(error)


def wrong_words(error: Any) -> "BrainwavlmError":
    """A usage error of typer's as one of this program's."""
    from brainwavlm.errors import ConfigError

    parameter, context = getattr(error, "param", None), error.ctx
    place, expected = context.command_path, context.get_usage().removeprefix("Usage: ").strip()
    if parameter is not None:
        is_option = parameter.param_type_name == "option"
        place = parameter.opts[0] if is_option else (parameter.metavar or str(parameter.name).upper())
        expected = getattr(parameter, "help", None) or expected
    told = "missing." if type(error).__name__ == "MissingParameter" else error.format_message()
    # Newer versions of typer use pydantic, whose error has the value.
    for problem in getattr(error.__cause__, "errors", list)()[:1]:
        message, kind, type_ = problem["msg"].removeprefix("Value error, ").partition("Input should be ")
        told = f"{problem['input']!r}." if kind else message
        expected = f"{type_.partition(', unable')[0]}: {expected}" if kind else expected
    return ConfigError(place, told, expected, f"See:  {context.command_path} --help")


def numbers_of(text: str | None, source: str, number: Any = float, expected: str = "") -> list[Any]:
    """[5.0, 10.0] from "5,10"."""
    from brainwavlm.errors import ConfigError

    try:
        return [] if text is None else [number(part) for part in text.split(",")]
    except ValueError:
        expected = expected or "numbers with commas between them."
        raise ConfigError(source, repr(text), expected, f"For instance: {source} 5,10") from None


def names_of(text: str | None) -> list[str]:
    """["mel", "phones"] from "mel, phones"; none of None."""
    return [] if text is None else [name.strip() for name in text.split(",")]


def layers_of(layers: str | None) -> list[int] | Literal["all"] | None:
    """[0, 3, 9] from "0,3,9"; `all` and None as they are."""
    if layers is None or layers.strip() == "all":
        return None if layers is None else "all"
    return numbers_of(layers, "--layers", int, "all, or whole numbers with commas between them.")


def opened_runs(runs: list[Path], output: Path | None, name: str, *tables: str) -> tuple[list["Run"], Path]:
    """Runs that are to be scored, and the folder for the scores: what is wrong with either is told first."""
    from brainwavlm.runs.run import open_run

    folder = output if output is not None else runs[0] / name
    opened = [open_run(path) for path in runs]
    require_output(folder, *tables, "summary.json", in_run=True)
    return opened, folder


def require_output(path: Path, *names: str, in_run: bool = False) -> None:
    """Refuse, before anything is computed, an output that cannot be made or that would mix with other files.

    With the names of a command's files, a folder must be new or empty, or hold an earlier result: all of them.
    """
    from brainwavlm.errors import ConfigError
    from brainwavlm.runs.output_paths import require_apart, require_writable

    require_writable(path, "--output")
    earlier = all((path / name).is_file() for name in names)
    if not earlier and path.exists() and any(path.iterdir()):
        raise ConfigError(
            "--output",
            f"{path} is a folder with other files.",
            f"a new or empty folder, or one with an earlier {', '.join(names)}, which are replaced.",
            "Choose another place.",
        )
    require_apart(path, in_run)


def print_json(content: Any) -> None:
    print(json_module.dumps(content, indent=2, allow_nan=False))


def answer(json: bool, content: Any, show: Callable[..., None], *shown: Any) -> None:
    """What a command says at its end: JSON for machines, or what `show` makes of it for people."""
    if json:
        print_json(content)
    else:
        show(*shown)
