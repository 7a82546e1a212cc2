"""Which kinds of figures there are, what each is made of and may be asked. Imports nothing heavy."""

from dataclasses import dataclass, fields
from typing import Literal

from brainwavlm.errors import ConfigError

PICTURES = (".pdf", ".svg", ".png")
QUANTITIES = ("frozen", "tuned", "difference", "share", "share-frozen")
VIEWS = ("inflated", "pial", "flat")

Made = Literal["evaluation", "run", "comparison", "transfer", "study"]
MAKERS: dict[Made, str] = {
    "evaluation": "brainwavlm evaluate RUN",
    "run": "brainwavlm tune --output RUN",
    "comparison": "brainwavlm compare RUN... --output FOLDER",
    "transfer": "brainwavlm transfer RUN... --output FOLDER",
    "study": "brainwavlm study run FILE --output FOLDER",
}


@dataclass(frozen=True)
class Choice:
    """What of a result is shown; empty: what the kind shows by itself.

    Attributes
    ----------
    quantity : tuple of str
        For maps: names of `QUANTITIES`.
    target : tuple of str
    run : tuple of str
        Names of runs.
    view : str or None
        For maps: one of `VIEWS`.
    q : float or None
        For maps: only voxels with a false discovery rate below it.
    experiment : tuple of str
        Of a study.
    title : str
    """

    quantity: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    view: str | None = None
    q: float | None = None
    experiment: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Kind:
    """One kind of figure.

    Attributes
    ----------
    shows : str
    made_of : tuple of str
        Folders that it takes; a run stands for what its own folder holds of these.
    options : tuple of str
        Fields of `Choice` that it knows, beside the title.
    home : str
        Module and function that draw it.
    suffixes : tuple of str
    """

    shows: str
    made_of: tuple[Made, ...]
    options: tuple[str, ...]
    home: str
    suffixes: tuple[str, ...] = PICTURES


KINDS = {
    "maps": Kind(
        "scores on the cortex", ("evaluation",), ("run", "quantity", "view", "q"), "data_voxels.draw_maps"
    ),
    "scatter": Kind(
        "tuned against frozen, a dot a voxel", ("evaluation",), ("run", "target"), "data_voxels.draw_scatter"
    ),
    "histogram": Kind(
        "how many voxels gained and lost", ("evaluation",), ("run", "target"), "data_voxels.draw_histogram"
    ),
    "table": Kind(
        "scores by target with intervals",
        ("evaluation",),
        ("run", "target"),
        "table.draw_table",
        (*PICTURES, ".tex", ".csv"),
    ),
    "learning": Kind(
        "loss and validation r by epoch", ("run", "evaluation"), ("run",), "data_curves.draw_learning"
    ),
    "layers": Kind(
        "scores and gains by hidden state",
        ("evaluation", "study"),
        ("run", "target", "experiment"),
        "data_curves.draw_layers",
    ),
    "tasks": Kind(
        "what is said in clips, by hidden state",
        ("evaluation", "study"),
        ("run", "target", "experiment"),
        "data_curves.draw_tasks",
    ),
    "delays": Kind("weights of the readout by delay", ("evaluation",), ("run",), "data_curves.draw_delays"),
    "seeds": Kind(
        "spread over seeds by configuration", ("comparison",), ("target",), "data_findings.draw_seeds"
    ),
    "claims": Kind(
        "findings of a study, a line each", ("study",), ("target", "experiment"), "data_findings.draw_claims"
    ),
    "transfer": Kind(
        "gain by listener tuned on and listener scored, and by minutes of data",
        ("transfer", "study"),
        ("run", "target", "experiment"),
        "data_transfer.draw_transfer",
    ),
}


def kind_named(name: str, choice: Choice) -> Kind:
    """A kind of figure that knows every option given.

    Raises
    ------
    ConfigError
        There is no such kind, or it has no such option.
    """
    if name not in KINDS:
        raise ConfigError(
            "KIND", f"{name!r}.", f"one of {', '.join(KINDS)}.", "See brainwavlm figure --help."
        )
    kind = KINDS[name]
    for field in fields(choice):
        given = getattr(choice, field.name)
        if given not in ((), None, "") and field.name not in (*kind.options, "title"):
            known = ", ".join(f"--{option}" for option in kind.options)
            raise ConfigError(f"--{field.name}", f"given for {name}.", f"one of {known}.", "Leave it out.")
    for quantity in choice.quantity:
        if quantity not in QUANTITIES:
            listed = ", ".join(QUANTITIES)
            raise ConfigError("--quantity", f"{quantity!r}.", f"one of {listed}.", "Choose one of them.")
    if choice.view is not None and choice.view not in VIEWS:
        raise ConfigError("--view", f"{choice.view!r}.", f"one of {', '.join(VIEWS)}.", "Choose one of them.")
    if choice.q is not None and not 0 < choice.q <= 1:
        raise ConfigError("--q", f"{choice.q:g}.", "a rate above 0 and up to 1.", "For instance: --q 0.05")
    return kind
