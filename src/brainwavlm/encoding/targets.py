"""Named sets of voxels: whole cortex, hemispheres, regions, labels, ceilings, files, and their combinations."""

import dataclasses
import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.encoding.mask_files import read_mask
from brainwavlm.encoding.target_names import unknown_target
from brainwavlm.errors import BrainwavlmError, ConfigError

_FILE = re.compile(r"\s*(?P<path>[^+&]+?\.(?:npy|txt))\s*(?=[+&-]|$)")
_CEILING = re.compile(r"\s*ceiling\s*>\s*(?P<floor>\d*\.?\d+)\s*(?=[+&-]|$)")
_OPERATOR = re.compile(r"\s*([+&-])")
_OVERLAY = "overlay:"
_DEEPEST = 50  # regions within regions, well within Python's stack


def target_mask(expression: str, subject: Subject, ceiling: np.ndarray | None = None) -> np.ndarray:
    """The voxels that an expression names.

    A + B: in either. A - B: in A and not in B. A & B: in both. `&` binds before `+` and `-`, which go from
    left to right. The longest known name is taken first, so names may hold an operator. A region of the
    configuration or the data set goes before one of the subject's file, and that before cortex, LH and RH.

    Parameters
    ----------
    expression : str
        `cortex` (every column), `LH`, `RH`, a region (`AC`), a label of a parcellation
        (`aparc:superiortemporal`), a drawn region (`overlay:AC`), `ceiling>0.4`, a mask file (.npy or .txt,
        one 0 or 1 a voxel), or a combination such as `cortex-AC` or `aparc:bankssts&LH`.
    subject : Subject
    ceiling : array (n_voxels,) or None
        Measured noise ceiling; None: the one that comes with the data set.

    Returns
    -------
    array (n_voxels,), bool, at least one voxel

    Raises
    ------
    ConfigError
        Unknown name (the nearest known ones are named), a mask of another length, regions that name each other in a
        circle, or no voxel left.
    DatasetError
        A drawn region whose files cannot be used.
    """
    mask = _mask(expression, subject, ceiling)
    if not mask.any():
        raise ConfigError(
            "target",
            f"{expression!r} holds none of the {subject.n_voxels} voxels of {subject.name}.",
            "at least one voxel.",
            "Choose another target; `brainwavlm targets` counts the voxels of each.",
        )
    return mask


def target_masks(
    expressions: Iterable[str], subject: Subject, ceiling: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Masks by expression, and what was found wrong with those that this subject lacks.

    Parameters
    ----------
    expressions : iterable of str
    subject : Subject
    ceiling : array (n_voxels,) or None

    Returns
    -------
    masks : dict of str to bool array (n_voxels,)
    missing : dict of str to str
        Expression to reason.
    """
    masks, missing = {}, {}
    for expression in expressions:
        try:
            masks[expression] = target_mask(expression, subject, ceiling)
        except BrainwavlmError as error:
            missing[expression] = error.found
    return masks, missing


def with_regions(subject: Subject, regions: Mapping[str, Iterable[str]]) -> Subject:
    """The subject with named unions of targets, which go before those of the same name that it has.

    Parameters
    ----------
    subject : Subject
    regions : mapping of str to iterable of str
        Name to the expressions whose voxels it unites.
    """
    added = {name: tuple(parts) for name, parts in regions.items()}
    return dataclasses.replace(subject, regions={**subject.regions, **added})


def uses_ceiling(expression: str, subject: Subject) -> bool:
    """Whether an expression may ask for the noise ceiling, itself or through a region that it may name."""
    return any(
        "ceiling" in part for part in (expression, *(p for ps in subject.regions.values() for p in ps))
    )


def available_targets(subject: Subject) -> list[str]:
    """Names that `target_mask` knows for this subject, without files and combinations.

    Regions whose parts are not there are left out, and drawn ones where pycortex is not installed.
    """
    sides = ["LH", "RH"] if subject.hemisphere is not None else []
    regions = [name for name in subject.regions if not _why_not(name, subject)]
    hidden = set(subject.regions) - set(regions)
    labels = sorted(name for name in subject.rois if name not in hidden)
    names = ["cortex", *sides, *regions, *labels, *_drawn_that_can_be_read(subject)[0]]
    return list(dict.fromkeys(names)) + (["ceiling>x"] if subject.ceiling is not None else [])


def target_counts(subject: Subject) -> tuple[dict[str, int], dict[str, str]]:
    """Voxels of each available target but ceilings, empty ones too, and why others are not available.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    counts : dict of str to int
    missing : dict of str to str
        Target, or what it would be read from, to reason.
    """
    counts: dict[str, int] = {}
    missing = {name: str(error) for name, error in subject.unread.items()}
    missing |= _drawn_that_can_be_read(subject)[1]
    for name in available_targets(subject):
        if name == "ceiling>x":
            continue
        if subject.ceiling is None and any("ceiling" in part for part in subject.regions.get(name, ())):
            missing[name] = "asks for the noise ceiling, which is measured when a run needs it."
            continue
        try:
            counts[name] = int(np.count_nonzero(_mask(name, subject, None)))
        except BrainwavlmError as error:
            missing[name] = str(error)
    for name in subject.regions:
        if name not in counts and name not in missing:
            missing[name] = _why_not(name, subject)
    return counts, missing


def _mask(
    expression: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...] = ()
) -> np.ndarray:
    mask = _named(expression.strip(), subject, ceiling, within)
    return _combination(expression, subject, ceiling, within) if mask is None else mask


def _combination(
    expression: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...]
) -> np.ndarray:
    # A sum of signed products: `A+B&C-D` is [+A, +(B&C), -D].
    total = np.zeros(subject.n_voxels, dtype=bool)
    operator, position, product, sign = "+", 0, None, "+"
    while True:
        mask, position = _term(expression, position, subject, ceiling, within)
        if operator == "&" and product is not None:
            product = product & mask
        else:
            total = _apply(total, sign, product)
            product, sign = mask, operator
        if position >= len(expression.rstrip()):
            return _apply(total, sign, product)
        found = _OPERATOR.match(expression, position)
        assert found is not None  # a term ends before an operator or at the end
        operator, position = found[1], found.end()


def _apply(total: np.ndarray, sign: str, product: np.ndarray | None) -> np.ndarray:
    if product is None:
        return total
    return total | product if sign == "+" else total & ~product


def _term(
    expression: str, position: int, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...]
) -> tuple[np.ndarray, int]:
    drawn = _drawn_names(subject) if _OVERLAY in expression else []
    names = {"cortex", "LH", "RH", *subject.regions, *subject.rois, *drawn}
    for name in sorted(names, key=len, reverse=True):
        found = re.compile(rf"\s*{re.escape(name)}\s*(?=[+&-]|$)").match(expression, position)
        mask = _named(name, subject, ceiling, within) if found else None
        if found and mask is not None:
            return mask, found.end()
    if found := _CEILING.match(expression, position):
        return _above(float(found["floor"]), subject, ceiling), found.end()
    if found := _FILE.match(expression, position):
        return read_mask(Path(found["path"]), subject.n_voxels), found.end()
    raise _unknown(expression, position, subject, within)


def _named(
    name: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...]
) -> np.ndarray | None:
    if name in subject.regions:
        return _union(name, subject, ceiling, within)
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


def _union(name: str, subject: Subject, ceiling: np.ndarray | None, within: tuple[str, ...]) -> np.ndarray:
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
        union |= _mask(part, subject, ceiling, (*within, name))
    return union


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


def _drawn_that_can_be_read(subject: Subject) -> tuple[list[str], dict[str, str]]:
    """Drawn regions, none without pycortex, and why a drawing cannot be read."""
    if importlib.util.find_spec("cortex") is None:
        return [], {}
    try:
        return _drawn_names(subject), {}
    except BrainwavlmError as error:
        return [], {"overlay": str(error)}


def _why_not(region: str, subject: Subject) -> str:
    """Why a region of the configuration or the data set has no mask; empty where it has one."""
    some_ceiling = np.zeros(
        subject.n_voxels
    )  # one may be measured; whether the parts are known is the question
    try:
        _union(region, subject, some_ceiling, ())
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
