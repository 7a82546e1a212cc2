"""Which kinds of figures there are, what each is made of and may be asked. Imports nothing heavy."""

from typing import NamedTuple

from brainwavlm.results.open import Made

PICTURES = (".pdf", ".svg", ".png")
QUANTITIES = ("frozen", "tuned", "difference", "share", "share-frozen")
READOUTS = ("voxelwise", "shared")  # as in results.replicates, which takes half a second to import
VIEWS = ("inflated", "pial", "flat")

MAKERS: dict[Made, str] = {
    "evaluation": "brainwavlm evaluate RUN",
    "ridge": "brainwavlm ridge DATASET --output FOLDER",
    "run": "brainwavlm tune --output RUN",
    "comparison": "brainwavlm compare RUN... --output FOLDER",
    "transfer": "brainwavlm transfer RUN... --output FOLDER",
    "probes": "brainwavlm probe RUN... --features NAMES --output FOLDER",
    "partition": "brainwavlm partition RUN --features NAMES",
    "study": "brainwavlm study run FILE --output FOLDER",
}


class Kind(NamedTuple):
    """One kind of figure: the folders that it takes, the fields of `Choice` that it knows, the module that reads it.

    A run stands for what its own folder holds of these folders. Every kind has a title, and a function of its name.
    """

    shows: str
    made_of: tuple[Made, ...]
    options: tuple[str, ...]
    home: str
    suffixes: tuple[str, ...] = PICTURES


_EVALUATION: tuple[Made, ...] = ("evaluation",)
_SCORES: tuple[Made, ...] = ("evaluation", "ridge")
_STATES: tuple[Made, ...] = ("evaluation", "study")
_OF_MAPS = ("run", "quantity", "readout", "view", "q")
_OF_RUNS = ("run", "target")
_OF_VOXELS = ("run", "target", "readout")
_OF_STUDIES = ("target", "experiment")
_OF_STATES = ("run", "target", "experiment")
_PAIRS = "gain by subject tuned on and subject scored, and by minutes of data"
_FOUND = "findings of a study under both readouts, a line each"
_HELD = "what models of a study predict in brains, against what they hold"
KINDS = {
    "maps": Kind("scores or unique shares on the cortex", (*_SCORES, "partition"), _OF_MAPS, "maps"),
    "scatter": Kind("tuned against frozen, a dot a voxel", _EVALUATION, _OF_VOXELS, "scores"),
    "histogram": Kind("how many voxels gained and lost", _EVALUATION, _OF_VOXELS, "scores"),
    "table": Kind("scores by target with intervals", _SCORES, _OF_RUNS, "scores", (".tex", ".csv")),
    "learning": Kind("loss and validation r by epoch", ("run", "evaluation"), ("run",), "curves"),
    "layers": Kind("scores and gains by hidden state", _STATES, _OF_STATES, "curves"),
    "tasks": Kind("what is said in clips, by hidden state", _STATES, _OF_STATES, "curves"),
    "delays": Kind("weights of the readout by delay", _EVALUATION, ("run",), "curves"),
    "probes": Kind("features read off hidden states, beside controls", ("probes",), _OF_RUNS, "stimulus"),
    "partition": Kind("which features explain a score, by region", ("partition",), _OF_RUNS, "stimulus"),
    "seeds": Kind("spread over seeds by configuration", ("comparison",), ("target",), "forest"),
    "claims": Kind(_FOUND, ("study",), _OF_STUDIES, "findings"),
    "supervision": Kind(_HELD, ("study",), _OF_STUDIES, "findings"),
    "transfer": Kind(_PAIRS, ("transfer", "study"), _OF_STATES, "transfer"),
}
