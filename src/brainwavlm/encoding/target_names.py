"""What to say of a target that a subject does not have: why, which names are near, which there are."""

import difflib
from collections.abc import Sequence

from brainwavlm.datasets.base import Subject
from brainwavlm.errors import ConfigError

_MOST_NAMES = 20


def unknown_target(
    name: str, where: str, subject: Subject, known: Sequence[str], place: str = "target"
) -> ConfigError:
    """The error for a name that is no target.

    Where files that would make it one cannot be used, it says so; else it names the nearest known ones.

    Parameters
    ----------
    name : str
        As it was asked for.
    where : str
        The expression or region around it, as part of a sentence; may be empty.
    subject : Subject
    known : sequence of str
        Targets that there are.
    place : str
        Key of the configuration in which it stands.
    """
    atlas = name.partition(":")[0]
    of_surfaces = subject.unread.get("surfaces") if atlas != name or name in ("LH", "RH") else None
    reason = of_surfaces or subject.unread.get(atlas)
    if reason is not None:
        return ConfigError(
            place,
            f"{name!r}{where} is no target of {subject.name}: {reason.path}: {reason.found}",
            reason.expected,
            reason.remedy,
        )
    if name.startswith("overlay:"):
        drawn = ", ".join(f"overlay:{region}" for region in subject.drawn)
        return ConfigError(
            place,
            f"{name!r}{where} is no target of {subject.name}: {'not' if drawn else 'nothing is'} drawn for it.",
            f"one of {drawn}."
            if drawn
            else "a drawing, pycortex-db/SUBJECT/overlays.svg, which ds003020 has.",
            "Name labels in its place; list them with: brainwavlm targets DATASET",
        )
    near = _nearest(name, known)
    listed = [one for one in known if ":" not in one] if len(known) > _MOST_NAMES else known
    labels = f", {len(known) - len(listed)} labels such as {known[-1]}" if len(listed) < len(known) else ""
    return ConfigError(
        place,
        f"{name!r}{where} is no target of {subject.name}.",
        f"one of {', '.join(listed)}{labels}, a .npy or .txt mask, or a combination with + - &.",
        (f"Did you mean {' or '.join(near)}? List" if near else "Correct it; list")
        + " them with: brainwavlm targets DATASET",
    )


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """Up to three known names: labels of that name in any atlas, then those most like it."""
    wanted = name.casefold()
    same = [one for one in known if wanted in (one.casefold(), one.partition(":")[2].casefold())]
    like = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return list(dict.fromkeys([*same, *like]))[:3]
