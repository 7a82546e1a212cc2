"""Which stories are the same sound under another name."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from brainwavlm.datasets.base import Story
from brainwavlm.stimulus.audio import audio_checksum


def same_sounds(stories: Iterable[Story]) -> dict[str, str]:
    """Story to the first story, by name, with the same sound."""
    return same_content({story.name: story.audio for story in stories})


def same_content(files: Mapping[str, Path]) -> dict[str, str]:
    """Name to the first name, in their order, with the same file, or with one of the same content.

    Only files of equal size are read.
    """
    places = {name: files[name].resolve() for name in sorted(files)}
    by_size: dict[int, list[Path]] = {}
    for file in dict.fromkeys(places.values()):
        by_size.setdefault(file.stat().st_size, []).append(file)
    content: dict[Path, str] = {}
    for alike in by_size.values():
        content |= {file: audio_checksum(file) if len(alike) > 1 else str(file) for file in alike}
    first: dict[str, str] = {}
    return {name: first.setdefault(content[file], name) for name, file in places.items()}
