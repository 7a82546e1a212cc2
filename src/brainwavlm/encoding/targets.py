"""Named sets of voxels: whole cortex, hemispheres, regions, labels, ceilings, files, and their combinations."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from brainwavlm.datasets.base import Subject
from brainwavlm.encoding.target_expressions import (
    available_targets,
    drawn_that_can_be_read,
    mask_of,
    why_not,
)
from brainwavlm.errors import BrainwavlmError, ConfigError


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
    mask = mask_of(expression, subject, ceiling)
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


def masks_within(masks: Mapping[str, np.ndarray], whole: str, columns: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (n_voxels,) among the columns of a target that alone was scored, (n_columns,), by what they hold there.

    A target that is cut is called so (LH within AC), one that holds all of these columns is left out for the target
    itself, and so is one that holds none.
    """
    within = {}
    for name, mask in masks.items():
        kept = mask[columns]
        cut = whole in masks and bool((mask & ~masks[whole]).any())
        if kept.any() and not (cut and kept.all()):
            within[f"{name} within {whole}" if cut else name] = kept
    return within


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
    missing |= drawn_that_can_be_read(subject)[1]
    for name in available_targets(subject):
        if name == "ceiling>x":
            continue
        if subject.ceiling is None and any("ceiling" in part for part in subject.regions.get(name, ())):
            missing[name] = "asks for the noise ceiling, which is measured when a run needs it."
            continue
        try:
            counts[name] = int(np.count_nonzero(mask_of(name, subject, None)))
        except BrainwavlmError as error:
            missing[name] = str(error)
    for name in subject.regions:
        if name not in counts and name not in missing:
            missing[name] = why_not(name, subject)
    return counts, missing
