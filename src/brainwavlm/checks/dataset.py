"""Everything that is wrong with a data set, before a run: read from end to end, all problems at once."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from brainwavlm.checks.duplicates import add_same_sound, same_responses
from brainwavlm.checks.report import Problem, Problems, Report
from brainwavlm.checks.stimuli import check_stimulus
from brainwavlm.checks.subject import check_subject
from brainwavlm.checks.transcripts import transcript_facts
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.dataset_yaml import FILE_NAME, read_description
from brainwavlm.datasets.demo import demo_folder
from brainwavlm.datasets.folder import FolderDataset
from brainwavlm.datasets.responses import Story
from brainwavlm.errors import DatasetError
from brainwavlm.files import one_form, reachable
from brainwavlm.stimulus.audio import SAMPLE_RATE
from brainwavlm.stimulus.decoded_sound import SoundFacts

DECODERS = 2  # sounds at once


def check_dataset(path_or_name: str | Path, subject: str | None = None) -> Report:
    """Read a data set from end to end and tell everything that is wrong with it.

    Nothing is written into it; lengths and levels of its sounds are kept in ~/.cache/brainwavlm/sounds.

    Parameters
    ----------
    path_or_name : str or Path
        As for `load_dataset`.
    subject : str or None
        Only this subject and the stories that it heard.

    Returns
    -------
    Report
        Memory grows neither with the number of stories nor with the size of a file.

    Raises
    ------
    ConfigError
        No such subject.
    """
    problems = Problems()
    folder = demo_folder() if path_or_name == "demo" else Path(path_or_name)
    dataset = _opened(problems, path_or_name, folder)
    if dataset is None:
        return Report("", str(path_or_name), problems=_in_folder(problems, folder))
    if subject is not None:
        subject = one_form(subject)
        dataset.require_subject(subject)
    names = dataset.subject_names if subject is None else (subject,)
    try:
        heard = {story for name in names for story in dataset.recordings(name)}
    except DatasetError as error:  # a folder that may not be looked into
        problems.append(Problem.of(error, "responses"))
        whole = _in_folder(problems, dataset.path)
        return Report(dataset.name, str(dataset.path), dataset.simulated, problems=whole)
    stories = {name: story for name, story in dataset.stories.items() if name in heard}
    with ThreadPoolExecutor(DECODERS) as pool:  # decoding and checksums run beside Python
        stimuli = dict(zip(stories, pool.map(check_stimulus, stories.values()), strict=True))
    for of_stimulus, _, _ in stimuli.values():
        problems += of_stimulus
    sounds = {name: sound for name, (_, sound, _) in stimuli.items() if sound}
    transcripts = {name: read for name, (_, _, read) in stimuli.items() if read}
    seconds = {name: sound.seconds for name, sound in sounds.items()}
    expected_rows = _expected_rows(problems, dataset, heard)
    subjects = [check_subject(problems, dataset, name, seconds, expected_rows) for name in names]
    add_same_sound(problems, dataset, names, sounds)
    recordings = [recording for name in names for recording in dataset.recordings(name).values()]
    problems += [Problem.of(error, "same") for error in same_responses(recordings)]
    if subject is None:
        _add_nobody_heard(problems, dataset, heard)
    return Report(
        dataset.name,
        str(dataset.path),
        dataset.simulated,
        tuple(summary for summary, _, _ in subjects),
        _in_folder(problems, dataset.path),
        (
            *dataset.facts,
            *_stimulus_facts(stories, sounds),
            *transcript_facts(transcripts),
            *_shared_stories(dataset),
            *_without_repeats(subjects),
            *(fact for _, _, facts in subjects for fact in facts),
        ),
    )


def _opened(problems: Problems, path_or_name: str | Path, folder: Path) -> Dataset | None:
    with problems.told("dataset"):
        with reachable(folder):
            described = (folder / FILE_NAME).is_file()
        if not described:
            return load_dataset(path_or_name)
        description, errors = read_description(folder / FILE_NAME)
        problems += [Problem.of(error, "dataset") for error in errors]
        return FolderDataset(folder, description) if description else None
    return None


def _expected_rows(problems: Problems, dataset: Dataset, stories: Iterable[str]) -> dict[str, int | None]:
    with problems.told("table"):
        rows = {story: dataset.expected_rows(story) for story in stories}
        unlisted = sorted(story for story, count in rows.items() if count is None)
        if unlisted and len(unlisted) < len(rows):
            problems.warn(
                "table",
                dataset.path,
                f"its table of rows (ds003020: respdict.json) does not list {', '.join(unlisted)}.",
                "the number of rows of each story.",
                "The rows of these stories are not compared with anything; take the table that came with them.",
            )
        return rows
    return {}


def _add_nobody_heard(problems: Problems, dataset: Dataset, heard: set[str]) -> None:
    if not dataset.subject_names:
        problems.error(
            "responses",
            dataset.path,
            "no subject.",
            "responses of one subject or more.",
            "Download the responses of a subject.",
        )
        return
    for name in dataset.stories:
        if name not in heard:
            problems.warn(
                "unheard",
                dataset.path,
                f"no subject has responses to {name}.",
                "a response file for each story.",
                "It is not used; download or name its responses, or take it out of the data set.",
            )


def _stimulus_facts(stories: Mapping[str, Story], sounds: Mapping[str, SoundFacts]) -> Iterator[str]:
    for rate, count in sorted(Counter(sound.rate for sound in sounds.values()).items()):
        if rate != SAMPLE_RATE:
            yield f"{count} of {len(stories)} sounds are at {rate} Hz: resampled to {SAMPLE_RATE} Hz."
    silent = [name for name, story in stories.items() if story.transcript is None]
    if silent:
        yield f"{len(silent)} of {len(stories)} stories have no transcript; only words and phones need one."


def _shared_stories(dataset: Dataset) -> Iterator[str]:
    by_split: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for subject in dataset.subject_names:
        for name, recording in dataset.recordings(subject).items():
            by_split[name][recording.story.split].append(subject)
    for name, subjects in sorted(by_split.items()):
        for held_out in ("test", "validation"):
            if subjects[held_out] and subjects["train"]:
                yield (
                    f"{name} is a {held_out} story of {', '.join(subjects[held_out])} and a training story "
                    f"of {', '.join(subjects['train'])}: a speech model tuned on the latter has heard it."
                )


def _without_repeats(subjects: Iterable[tuple[dict[str, Any], bool, list[str]]]) -> Iterator[str]:
    names = [summary["subject"] for summary, has_repeats, _ in subjects if not has_repeats]
    if names:
        yield f"No ceiling can be computed from repeats of a test story for: {', '.join(names)}."


def _in_folder(problems: Problems, folder: Path) -> tuple[Problem, ...]:
    """All problems, errors first, with files named from the data set's folder."""
    order = ("error", "warning")
    return tuple(
        sorted((_relative(one, folder) for one in problems), key=lambda one: order.index(one.severity))
    )


def _relative(problem: Problem, folder: Path) -> Problem:
    """The problem with its file named from the data set's folder, where `datalad get` is run."""
    path = Path(problem.path)
    if path == folder or not path.is_relative_to(folder):
        return problem
    name = path.relative_to(folder).as_posix()
    if not problem.remedy.startswith("Fetch it:"):
        return dataclasses.replace(problem, path=name)
    remedy = f"Fetch it:  datalad get {name}      (in the data set's folder)"
    return dataclasses.replace(problem, kind="pointer", path=name, remedy=remedy)
