"""The grammar of targets: masks of names, files and their combinations, and which names a subject has."""

import importlib.util
import re
from pathlib import Path

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.encoding.target_names import unknown_target
from brainwavlm.errors import BrainwavlmError, ConfigError

_CEILING, _FILE = r"ceiling\s*>\s*(?P<floor>\d*\.?\d+)", r"(?P<path>[^+&]+?\.(?:npy|txt))"
_OVERLAY = "overlay:"
_DEEPEST = 50  # regions within regions, well within Python's stack


def mask_of(
    expression: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...] = ()
) -> np.ndarray:
    """The voxels of an expression, (n_voxels,) bool, possibly none; `within` are the regions that led to it."""
    mask = _named(expression.strip(), subject, ceiling, within)
    if mask is not None:
        return mask
    # A sum of signed products: `A+B&C-D` is [+A, +(B&C), -D].
    total, sign = np.zeros(subject.n_voxels, dtype=bool), "+"
    product: np.ndarray | None = None
    term, position = _term(expression, subject), 0
    while match := term.match(expression, position):
        mask, position = _named(match["name"] or "", subject, ceiling, within), match.end()
        if match["floor"]:
            mask = _above(float(match["floor"]), subject, ceiling)
        elif match["path"]:
            mask = read_mask(Path(match["path"]), subject.n_voxels)
        assert mask is not None  # `_term` has names of this subject
        product = mask if product is None else product & mask
        if match["operator"] == "&":
            continue
        total = total | product if sign == "+" else total & ~product
        if not match["operator"]:
            return total
        product, sign = None, match["operator"]
    raise _unknown(expression, position, subject, within)


def _term(expression: str, subject: Subject) -> re.Pattern[str]:
    """One name, the longest first, as names may hold an operator; a ceiling or a file; then an operator or the end."""
    drawn = _drawn_names(subject) if _OVERLAY in expression else []
    sides = ["LH", "RH"] if subject.hemisphere is not None else []
    names = sorted({"cortex", *sides, *subject.regions, *subject.rois, *drawn}, key=len, reverse=True)
    named = f"(?P<name>{'|'.join(map(re.escape, names))})"
    return re.compile(rf"\s*(?:{named}|{_CEILING}|{_FILE})\s*(?P<operator>[+&-]|\Z)")


def _named(
    name: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...]
) -> np.ndarray | None:
    if name in subject.regions:
        return _union_of(name, subject, ceiling, within)
    if name in subject.rois:
        return np.asarray(subject.rois[name], dtype=bool)
    if name == "cortex":
        return np.ones(subject.n_voxels, dtype=bool)
    if name in ("LH", "RH") and subject.hemisphere is not None:
        return np.asarray(subject.hemisphere) == ("LH", "RH").index(name)
    if name.startswith(_OVERLAY) and name.removeprefix(_OVERLAY) in subject.drawn:
        return np.asarray(subject.drawn[name.removeprefix(_OVERLAY)], dtype=bool)
    if name.endswith((".npy", ".txt")) and Path(name).is_file():
        return read_mask(Path(name), subject.n_voxels)
    return None


def _union_of(name: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...]) -> np.ndarray:
    if name in within:
        raise ConfigError(
            f"regions.{name}",
            f"leads back to itself: {', '.join([*within[within.index(name) :], name])}.",
            "parts that do not lead back to the region.",
            "Name the labels themselves; brainwavlm targets DATASET lists them.",
        )
    if len(within) == _DEEPEST:
        raise ConfigError(
            f"regions.{within[0]}",
            f"leads through more than {_DEEPEST} regions: {', '.join(within[:3])}, ..., {name}.",
            "regions that name labels, or a few other regions.",
            "Name the labels themselves; brainwavlm targets DATASET lists them.",
        )
    union = np.zeros(subject.n_voxels, dtype=bool)
    for part in subject.regions[name]:
        union |= mask_of(part, subject, ceiling, (*within, name))
    return union


def available_targets(subject: Subject) -> list[str]:
    """Names that `target_mask` knows for this subject, without files and combinations.

    Regions whose parts are not there are left out, and drawn ones where pycortex is not installed.
    """
    sides = ["LH", "RH"] if subject.hemisphere is not None else []
    regions = [name for name in subject.regions if not why_not(name, subject)]
    hidden = set(subject.regions) - set(regions)
    labels = sorted(name for name in subject.rois if name not in hidden)
    names = ["cortex", *sides, *regions, *labels, *drawn_that_can_be_read(subject)[0]]
    return list(dict.fromkeys(names)) + (["ceiling>x"] if subject.ceiling is not None else [])


def read_mask(path: Path, n_voxels: int) -> np.ndarray:
    """A voxel mask from a .npy or .txt file with one 0 or 1 (or false, true in .npy) a voxel.

    Raises
    ------
    ConfigError
        Missing or unreadable file, other values, or a length other than n_voxels.
    """
    if not path.is_file():
        raise ConfigError(
            path, "no such file.", "a mask, .npy or .txt.", "Give its path from the current folder."
        )
    try:
        values = _array(path) if path.suffix == ".npy" else _numbers(path)
    except (ValueError, EOFError, OSError) as error:
        raise ConfigError(
            path, f"not readable: {error}", "one 0 or 1 a voxel.", "Write it with numpy.save(path, mask)."
        ) from None
    if values.shape != (n_voxels,):
        raise ConfigError(
            path,
            f"{' x '.join(map(str, values.shape)) or 'one'} values.",
            f"{n_voxels}, one 0 or 1 for each voxel of the subject.",
            "Use a mask made for this subject's columns.",
        )
    if values.dtype.kind not in "biuf":
        raise ConfigError(path, f"values of type {values.dtype}.", "one 0 or 1 a voxel.", "Save it as bool.")
    if not np.isin(values, (0, 1)).all():
        raise ConfigError(path, "values other than 0 and 1.", "a mask.", "Threshold it before saving.")
    return values.astype(bool)


def _array(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)  # np.load would also open a .npz here


def _numbers(path: Path) -> np.ndarray:
    return np.array([float(value) for value in path.read_text(encoding="utf-8").split()])


def _unknown(expression: str, position: int, subject: Subject, within: tuple[str, ...]) -> ConfigError:
    name = re.split(r"[+&-]", expression[position:])[0].strip()
    if name.partition(":")[2]:
        name = expression[position:].strip()  # labels hold hyphens: where this one ends is not known
    where = "" if name == expression.strip() else f" in {expression!r}"
    where += f" of region {within[-1]}" if within else ""
    known = available_targets(subject) if not within else ["cortex", *subject.rois]
    place = f"regions.{within[-1]}" if within else "target"
    return unknown_target(name, where, subject, known, place)


def _drawn_names(subject: Subject) -> list[str]:
    return [f"{_OVERLAY}{name}" for name in subject.drawn]


def drawn_that_can_be_read(subject: Subject) -> tuple[list[str], dict[str, str]]:
    """Drawn regions, none without pycortex, and why a drawing cannot be read."""
    if importlib.util.find_spec("cortex") is None:
        return [], {}
    try:
        return _drawn_names(subject), {}
    except BrainwavlmError as error:
        return [], {"overlay": str(error)}


def why_not(region: str, subject: Subject) -> str:
    """Why a region of the configuration or the data set has no mask; empty where it has one."""
    # A ceiling may be measured; whether the parts are known is the question.
    some_ceiling = np.zeros(subject.n_voxels)
    try:
        _union_of(region, subject, some_ceiling, ())
    except BrainwavlmError as error:
        return str(error)
    return ""


def _above(floor: float, subject: Subject, ceiling: np.ndarray | None) -> np.ndarray:
    ceiling = subject.ceiling if ceiling is None else ceiling
    if ceiling is None:
        raise ConfigError(
            "target",
            f"{subject.name} has no noise ceiling.",
            "a ceiling in subjects/<subject>.h5, or a story with individual_repeats.",
            "Choose a target without `ceiling>`.",
        )
    return np.asarray(ceiling) > floor
