"""Folders of sound with labels: data sets of stories, a table of sounds, LibriSpeech, TIMIT."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.dataset_yaml import FILE_NAME
from brainwavlm.datasets.lebel2023 import derivative_folder
from brainwavlm.datasets.responses import SPLITS, Split
from brainwavlm.errors import DatasetError
from brainwavlm.files import on_disk, require_content
from brainwavlm.stimulus.decoded_sound import SAMPLE_RATE
from brainwavlm.stimulus.text_tables import SEPARATORS, table_rows
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.utterances import (
    Utterance,
    utterances_of_stories,
    with_drawn_splits,
    with_validation,
)
from brainwavlm.stimulus.word_vectors import spoken

MANIFEST = "manifest.csv"
_SPLIT_NAMES: dict[str, Split] = {
    **{name: name for name in SPLITS},
    **dict.fromkeys(("dev", "valid", "val"), "validation"),
}
_FIRST_LINE = (
    "a first line of names: path, then text, speaker or any label, perhaps onset, offset and split; "
    "and in each line as many fields."
)
_OF_SOUNDS = ("path", "onset", "offset", "split", "speaker", "text")  # further columns are labels
# Lee and Hon 1989: 61 phones of TIMIT as 39, of which silence (closures, pauses, the glottal stop) is none here.
_TIMIT = dict(
    re.findall(
        r"(\S+)=(\S*)",
        "ao=aa ax=ah ax-h=ah axr=er hv=hh ix=ih ux=uw el=l em=m en=n nx=n eng=ng zh=sh "
        "bcl= dcl= gcl= pcl= tcl= kcl= h#= pau= epi= q=",
    )
)


@dataclass(frozen=True)
class Corpus:
    """Utterances in three splits.

    Attributes
    ----------
    path : Path
        Folder or table.
    kind : str
        stories, table, LibriSpeech or TIMIT.
    utterances : tuple of Utterance
    notes : tuple of str
    """

    path: Path
    kind: str
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()


def read_corpus(data: str | Path, splits: Mapping[str, Split] | None = None) -> Corpus:
    """Sounds and labels at a place, recognised by what lies there; no sound is decoded.

    Parameters
    ----------
    data : str or Path
        The word demo; the folder of a data set with transcripts; a table of sounds (.csv, .tsv), or a folder with
        manifest.csv: path, then text, speaker or any label, perhaps onset and offset (seconds) and split; a copy of
        LibriSpeech (*.trans.txt) or of TIMIT (*.PHN).
    splits : mapping of story to split, optional
        Of stories, before those of the data set.

    Raises
    ------
    DatasetError
        Nothing of these, or a file of them that cannot be used.
    """
    path = Path(data)
    if data == "demo" or (path / FILE_NAME).is_file() or derivative_folder(path) is not None:
        dataset = load_dataset(data)
        stories = [replace(s, split=(splits or {}).get(s.name, s.split)) for s in dataset.stories.values()]
        utterances = utterances_of_stories(sorted(stories, key=lambda story: story.name))
        without = [story.name for story in stories if story.transcript is None]
        if not utterances:
            raise _none(path, "stories without transcripts.")
        notes = [f"Without a transcript, left out: {', '.join(without)}."] if without else []
        return Corpus(dataset.path, "stories", tuple(utterances), tuple(notes))
    read = ((kind, list(reader(path))) for kind, reader in _READERS.items())
    kind, utterances = next((some for some in read if some[1]), ("", []))
    if not utterances:
        sounds = sum(file.suffix.lower() in (".flac", ".wav") for file in path.rglob("*"))
        bare = "no sound with labels." if path.exists() else "no such file or folder."
        raise _none(path, f"{sounds:,} sounds, and nothing that says what is in them." if sounds else bare)
    told = {bool(one.split) for one in utterances}
    if told == {True, False}:
        missing = next(one for one in utterances if not one.split)
        raise _none(path, f"a split for some sounds, and none for {missing.audio.name}.")
    drawn = told == {False}
    utterances = with_drawn_splits(utterances) if drawn else with_validation(utterances)
    for split in SPLITS:
        if not any(one.split == split for one in utterances):
            raise _none(path, f"{len(utterances)} utterances, none of them of the split {split}.")
    note = "The data name no splits: a fifth is tested, drawn once, by speaker from ten on."
    return Corpus(path, kind, tuple(utterances), (note,) if drawn else ())


def _table(path: Path) -> Iterator[Utterance]:
    path = path / MANIFEST if path.is_dir() else path
    if path.suffix.lower() not in SEPARATORS or not path.is_file():
        return
    try:
        names, rows = table_rows(path)
    except ValueError as error:
        raise _wrong(path, f"{error}.") from None
    if "path" not in names or not set(names) - {"path", "onset", "offset", "split"}:
        lacks = "labels" if "path" in names else "path"
        raise _wrong(path, f"columns {', '.join(names) or 'none'}, none of {lacks}.")
    for line, row in rows.items():
        where = f"line {line}: "
        if not row["path"].strip():
            raise _wrong(path, f"{where}no path.", "the sound of each row, from the table's folder.")
        audio = on_disk(path.parent, row["path"])
        require_content(audio)
        split = row.get("split", "").strip().lower()
        if split and split not in _SPLIT_NAMES:
            raise _wrong(path, f"{where}split {row['split']!r}.", "train, validation or test.")
        times = f"{where}onset {row.get('onset')!r}, offset {row.get('offset')!r}."
        try:
            start, end = (
                float(row.get(name) or default) for name, default in (("onset", 0), ("offset", math.inf))
            )
        except ValueError:
            raise _wrong(path, times, "numbers of seconds.") from None
        if not 0 <= start < end:
            raise _wrong(path, times, "an offset after the onset, neither before the sound begins.")
        yield Utterance(
            audio,
            row["path"],
            _SPLIT_NAMES[split] if split else "",
            start,
            None if math.isinf(end) else end,
            row.get("speaker", "").strip(),
            _words(row.get("text", "")),
            {name: row[name].strip() for name in names if name not in _OF_SOUNDS},
        )


def _librispeech(path: Path) -> Iterator[Utterance]:
    for transcript in sorted(path.rglob("*.trans.txt")):
        for number, line in enumerate(_lines(transcript), start=1):
            name, _, text = line.partition(" ")
            sounds = [transcript.with_name(name + ending) for ending in (".flac", ".wav")]
            audio = next((sound for sound in sounds if name and sound.is_file()), None)
            if audio is None or not text.strip():
                raise DatasetError(
                    transcript,
                    f"line {number}: {line[:60]!r}, with no {sounds[0].name} beside it."
                    if text
                    else f"line {number}: {line[:60]!r}.",
                    "the name of a FLAC file in the same folder, a space, and its words.",
                    "Unpack the archive again.",
                )
            yield Utterance(
                audio, name, _split_of(transcript, path), speaker=name.split("-")[0], text=_words(text)
            )


def _timit(path: Path) -> Iterator[Utterance]:
    for phones in sorted(file for file in path.rglob("*") if file.suffix.upper() == ".PHN"):
        if phones.stem.upper().startswith("SA"):  # two sentences that everybody says, by custom left out
            continue
        beside = {file.name.upper(): file for file in phones.parent.glob(f"{phones.stem}.*")}
        stem = phones.stem.upper()
        audio = beside.get(f"{stem}.WAV.WAV") or beside.get(f"{stem}.WAV") or beside.get(f"{stem}.FLAC")
        if audio is None:
            raise DatasetError(phones, "no sound beside it.", f"{phones.stem}.WAV.", "Unpack TIMIT again.")
        said = [replace(p, text=_TIMIT.get(p.text.lower(), p.text.lower()).upper()) for p in _spans(phones)]
        words = tuple(_spans(beside[f"{stem}.WRD"])) if f"{stem}.WRD" in beside else ()
        yield Utterance(
            audio,
            str(phones.relative_to(path).with_suffix("")),
            _split_of(phones, path),
            speaker=phones.parent.name,
            text=_words(" ".join(word.text for word in words)),
            phones=tuple(phone for phone in said if phone.text),
            words=words,
        )


def _spans(path: Path) -> Iterator[Interval]:
    """Lines of a .PHN or .WRD file: first sample, last sample, label."""
    for number, line in enumerate(_lines(path), start=1):
        match = re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(\S.*?)\s*", line)
        if match is None or int(match[1]) > int(match[2]):
            raise DatasetError(
                path,
                f"line {number}: {line[:60]!r}.",
                "first sample, last sample and label of each, at 16 kHz.",
                "Unpack TIMIT again.",
            )
        yield Interval(int(match[1]) / SAMPLE_RATE, int(match[2]) / SAMPLE_RATE, match[3])


def _lines(path: Path) -> list[str]:
    require_content(path)
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(path, f"not UTF-8: {error}.", "text.", "Unpack the archive again.") from None


_READERS: dict[str, Callable[[Path], Iterator[Utterance]]] = {
    "table": _table,
    "LibriSpeech": _librispeech,
    "TIMIT": _timit,
}


def _split_of(file: Path, root: Path) -> str:
    """Of the folders' names: train-clean-100, dev-other, TEST; the folder that was given, too."""
    for folder in (*file.relative_to(root).parts[:-1], root.name):
        name = re.split(r"[-_]", folder.lower())[0]
        if name in _SPLIT_NAMES:
            return _SPLIT_NAMES[name]
    return ""


def _words(text: str) -> str:
    return " ".join(word for word in map(spoken, text.split()) if word)


def _none(path: Path, problem: str) -> DatasetError:
    return DatasetError(
        path,
        problem,
        f"a data set with transcripts, a table of sounds ({MANIFEST}), LibriSpeech (*.trans.txt) or TIMIT (*.PHN), "
        "with sounds to train on and to test.",
        "docs/how-to/speech-tasks.md shows each of them.",
    )


def _wrong(path: Path, problem: str, expected: str = _FIRST_LINE) -> DatasetError:
    return DatasetError(path, problem, expected, "Correct the table.")
