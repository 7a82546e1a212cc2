"""Named sets of voxels: whole cortex, regions, hemispheres, ceilings, files, and their combinations."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.errors import ConfigError

_FILE = re.compile(r"\s*(?P<path>[^+&]+?\.(?:npy|txt))\s*(?=[+&-]|$)")
_CEILING = re.compile(r"\s*ceiling\s*>\s*(?P<floor>\d*\.?\d+)\s*(?=[+&-]|$)")
_OPERATOR = re.compile(r"\s*([+&-])")


def target_mask(expression: str, subject: Subject, ceiling: np.ndarray | None = None) -> np.ndarray:
    """The voxels that an expression names.

    A + B: in either. A - B: in A and not in B. A & B: in both. `&` binds before `+` and `-`, which go from
    left to right. A name that a subject's region carries is taken as that region first, even if it holds
    an operator.

    Parameters
    ----------
    expression : str
        `cortex` (every column), `LH`, `RH`, a region of the subject (`AC`), `ceiling>0.4`, a mask file
        (.npy or .txt, one 0 or 1 a voxel), or a combination such as `cortex-AC` or `AC&LH`.
    subject : Subject
    ceiling : array (n_voxels,) or None
        Measured noise ceiling; None: the one that comes with the data set.

    Returns
    -------
    array (n_voxels,), bool, at least one voxel

    Raises
    ------
    ConfigError
        Unknown name (those available are listed), a mask of another length, or no voxel left.
    """
    mask = _named(expression.strip(), subject)
    if mask is None:
        mask = _combination(expression, subject, ceiling)
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
        except ConfigError as error:
            missing[expression] = error.found
    return masks, missing


def available_targets(subject: Subject) -> list[str]:
    """Names that `target_mask` knows for this subject, without files and combinations."""
    sides = ["LH", "RH"] if subject.hemisphere is not None else []
    names = ["cortex", *sides, *sorted(subject.rois)]
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


def _combination(expression: str, subject: Subject, ceiling: np.ndarray | None) -> np.ndarray:
    # A sum of signed products: `A+B&C-D` is [+A, +(B&C), -D].
    total = np.zeros(subject.n_voxels, dtype=bool)
    operator, position, product, sign = "+", 0, None, "+"
    while True:
        mask, position = _term(expression, position, subject, ceiling)
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
    expression: str, position: int, subject: Subject, ceiling: np.ndarray | None
) -> tuple[np.ndarray, int]:
    names = sorted({"cortex", "LH", "RH", *subject.rois}, key=len, reverse=True)
    for name in names:
        found = re.compile(rf"\s*{re.escape(name)}\s*(?=[+&-]|$)").match(expression, position)
        mask = _named(name, subject) if found else None
        if found and mask is not None:
            return mask, found.end()
    if found := _CEILING.match(expression, position):
        return _above(float(found["floor"]), subject, ceiling), found.end()
    if found := _FILE.match(expression, position):
        return read_mask(Path(found["path"]), subject.n_voxels), found.end()
    unknown = re.split(r"[+&-]", expression[position:])[0].strip()
    where = "" if unknown == expression.strip() else f" in {expression!r}"
    raise ConfigError(
        "target",
        f"{unknown!r}{where} is no target of {subject.name}.",
        f"one of {', '.join(available_targets(subject))}, a .npy or .txt mask, or a combination with + - &.",
        "Choose with --target or --set target=...; list them with: brainwavlm targets DATASET",
    )


def _named(name: str, subject: Subject) -> np.ndarray | None:
    if name in subject.rois:
        return np.asarray(subject.rois[name], dtype=bool)
    if name == "cortex":
        return np.ones(subject.n_voxels, dtype=bool)
    if name in ("LH", "RH") and subject.hemisphere is not None:
        return np.asarray(subject.hemisphere) == ("LH", "RH").index(name)
    if name.endswith((".npy", ".txt")) and Path(name).is_file():
        return read_mask(Path(name), subject.n_voxels)
    return None


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


def _array(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)  # np.load would also open a .npz here


def _numbers(path: Path) -> np.ndarray:
    return np.array([float(value) for value in path.read_text(encoding="utf-8").split()])
