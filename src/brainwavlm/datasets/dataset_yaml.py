"""What `dataset.yaml` may say, and everything that is wrong with one that says something else."""

import re
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictStr,
    ValidationError,
    model_serializer,
)

from brainwavlm.config import read_mapping
from brainwavlm.datasets.responses import Channel, Split, Story
from brainwavlm.errors import DatasetError
from brainwavlm.files import on_disk, one_form, reachable

FILE_NAME = "dataset.yaml"
LONGEST_NAME = 240  # bytes; the system's 255 less what the names of files add, while they are written too


def _plain_name(name: str) -> str:
    if name in ("", ".", "..") or re.search(r"[/\\:\x00-\x1f]", name):
        raise ValueError("a name that makes a file in the data set's folder: no separators, not '..'")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"a name of {LONGEST_NAME} bytes or fewer")
    return one_form(name)


def inside(path: str) -> str:
    """The path; ValueError where it does not stay in the folder that it is relative to."""
    parts = re.split(r"[/\\]", path)
    if path in ("", ".") or parts[0] == "" or ".." in parts or re.search(r"[:\x00-\x1f]", path):
        raise ValueError("a relative path that stays in the data set's folder")
    if any(len(part.encode()) > 255 for part in parts):
        raise ValueError("names of 255 bytes or fewer")
    return one_form(path)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError("a number")
    return value


def _transcript(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _tiers(value: Any) -> Any:
    tiers = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not tiers or not all(isinstance(tier, str) for tier in tiers):
        raise ValueError("the name of a tier, or a list of names")
    return tuple(map(one_form, tiers))  # as TextGrids are read


def _channel(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not number and value not in ("mean", "left", "right"):
        raise ValueError("mean, left, right, or the number of a channel, from 1")
    return value


Tiers = Annotated[tuple[StrictStr, ...], BeforeValidator(_tiers)]
HeardChannel = Annotated[Channel, BeforeValidator(_channel)]
Name = Annotated[StrictStr, AfterValidator(_plain_name)]
FilePath = Annotated[StrictStr, AfterValidator(inside)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TranscriptEntry(_Entry):
    """A TextGrid, and its tiers where their names do not say what they hold; written as the file alone if they do."""

    file: FilePath
    words: Tiers = ()
    phones: Tiers = ()

    @model_serializer(mode="wrap")
    def _short(self, whole: SerializerFunctionWrapHandler) -> Any:
        return whole(self) if self.words or self.phones else self.file


class StoryEntry(_Entry):
    """One stimulus: files relative to the data set's folder."""

    audio: FilePath
    transcript: Annotated[TranscriptEntry | None, BeforeValidator(_transcript)] = None
    split: Split
    channel: HeardChannel | None = None

    def story(self, folder: Path, name: str, channel: Channel) -> Story:
        """The story of that name; `channel` is that of the data set, for a story that names none."""
        channel = channel if self.channel is None else self.channel
        text, audio = self.transcript, on_disk(folder, self.audio)
        if text is None:
            return Story(name, audio, None, self.split, channel)
        file = on_disk(folder, text.file)
        return Story(name, audio, file, self.split, channel, text.words, text.phones)


class SubjectEntry(_Entry):
    """One listener: folder of responses, anatomy, and splits that differ from the stories' own."""

    responses: FilePath
    anatomy: FilePath | None = None
    splits: dict[Name, Split] = Field(default_factory=dict)


class Description(_Entry):
    """The whole of `dataset.yaml`, format 1. `note` is shown by `check` and in every report.

    `channel` is that of every story that names none of its own.
    """

    format: Annotated[Literal[1], BeforeValidator(_number)]
    name: Name
    licence: StrictStr = ""
    citation: StrictStr = ""
    note: StrictStr = ""
    tr: Annotated[float, BeforeValidator(_number)] = Field(ge=0.01, le=100, allow_inf_nan=False)
    channel: HeardChannel = "mean"
    simulated: bool = False
    stories: dict[Name, StoryEntry] = Field(min_length=1)
    subjects: dict[Name, SubjectEntry] = Field(min_length=1)


def read_description(path: Path) -> tuple[Description | None, list[DatasetError]]:
    """What a `dataset.yaml` says, and all that is wrong with it.

    Stories and subjects with an error are left out of the description, so that `check` can go on with the
    others.

    Returns
    -------
    description : Description or None
        None when the file is no description at all.
    problems : list of DatasetError
    """
    values, problems = _mapping(path)
    if values is None:
        return None, problems
    try:
        description = Description.model_validate(values)
    except ValidationError as error:
        problems += [_problem(path, detail) for detail in error.errors()]
        for detail in error.errors():
            section, *entry = detail["loc"]
            if section in ("stories", "subjects") and entry and isinstance(values.get(section), dict):
                values[section].pop(entry[0], None)
        try:
            description = Description.model_validate(values)
        except ValidationError:
            return None, problems
    return description, problems + _unknown_overrides(path, description)


def _mapping(path: Path) -> tuple[dict[str, Any] | None, list[DatasetError]]:
    def wrong(found: str, remedy: str) -> DatasetError:
        return DatasetError(path, found, "a YAML mapping in UTF-8, format 1, each key once.", remedy)

    try:
        with reachable(path):
            values, faults = read_mapping(path)
    except DatasetError as error:
        return None, [error]
    except ValueError as error:
        return None, [wrong(str(error), "Mend it: docs/reference/file-formats.md shows one to copy.")]
    return values, [
        wrong(
            f"lists {fault}.",
            "Remove one of the two; a story has one split."
            if "a second time" in fault
            else "Write the number without colons, underscores and zeros before it; a name needs quotes.",
        )
        for fault in faults
    ]


def _problem(path: Path, detail: Any) -> DatasetError:
    *parents, last = [str(part) for part in detail["loc"]]
    key = ".".join(parents if last == "[key]" else [*parents, last])
    expected = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return DatasetError(path, f"{key} is not there.", f"a value for {key}.", f"Add `{last}: ...`")
    if detail["type"] == "extra_forbidden":
        return DatasetError(
            path,
            f"unknown key {key}.",
            "the keys of format 1 only.",
            "Remove it; docs/reference/file-formats.md lists the keys.",
        )
    if last == "[key]":
        return DatasetError(
            path,
            f"{parents[0]} has an entry {detail['input']!r}.",
            f"{expected[0].lower()}{expected[1:]}.",
            "Rename it, here and in the names of its files (numbers need quotes).",
        )
    return DatasetError(
        path, f"{key} = {detail['input']!r}.", f"{expected[0].lower()}{expected[1:]}.", f"Change {key}."
    )


def _unknown_overrides(path: Path, description: Description) -> list[DatasetError]:
    return [
        DatasetError(
            path,
            f"subjects.{name}.splits names {story}, which is no story of this data set.",
            f"one of {', '.join(description.stories)}.",
            "Correct the name, or add the story under stories.",
        )
        for name, subject in description.subjects.items()
        for story in subject.splits
        if story not in description.stories
    ]
