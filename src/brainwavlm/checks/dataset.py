"""Everything that is wrong with a data set, before a run: read from end to end, all problems at once."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from brainwavlm.checks.report import Problem, Report
from brainwavlm.checks.same_responses import same_responses
from brainwavlm.checks.same_sound import same_sound
from brainwavlm.checks.stimuli import StimulusCheck, check_stimulus
from brainwavlm.checks.subject import SubjectCheck, check_subject
from brainwavlm.checks.transcripts import transcript_facts
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Dataset
from brainwavlm.datasets.dataset_yaml import FILE_NAME, read_description
from brainwavlm.datasets.demo import demo_folder
from brainwavlm.datasets.folder import FolderDataset
from brainwavlm.errors import DatasetError
from brainwavlm.files import one_form, reachable
from brainwavlm.stimulus.audio import SAMPLE_RATE

DECODERS = 2  # sounds at once


def check_dataset(path_or_name: str | Path, subject: str | None = None) -> Report:
    """Read a data set from end to end and tell everything that is wrong with it.

    Nothing is written into it; lengths and levels of its sounds are kept in ~/.cache/brainwavlm.

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
    dataset, problems = _opened(path_or_name)
    if dataset is None:
        return Report("", str(path_or_name), problems=tuple(problems))
    if subject is not None:
        subject = one_form(subject)
        dataset.require_subject(subject)
    names = dataset.subject_names if subject is None else (subject,)
    try:
        heard = {story for name in names for story in dataset.recordings(name)}
    except DatasetError as error:  # a folder that may not be looked into
        problems.append(_relative(Problem.of(error, "responses"), dataset.path))
        return Report(dataset.name, str(dataset.path), dataset.simulated, problems=tuple(problems))
    stories = {name: story for name, story in dataset.stories.items() if name in heard}
    with ThreadPoolExecutor(DECODERS) as pool:  # decoding and checksums run beside Python
        stimuli = dict(zip(stories, pool.map(check_stimulus, stories.values()), strict=True))
    problems += [problem for stimulus in stimuli.values() for problem in stimulus.problems]
    seconds = {name: stimulus.seconds for name, stimulus in stimuli.items()}
    expected_rows, table_problems = _expected_rows(dataset, heard)
    subjects = [check_subject(dataset, name, seconds, expected_rows) for name in names]
    problems += [*table_problems, *(problem for checked in subjects for problem in checked.problems)]
    problems += same_sound(dataset, names, {name: one.facts for name, one in stimuli.items() if one.facts})
    recordings = [recording for name in names for recording in dataset.recordings(name).values()]
    problems += [Problem.of(error, "same") for error in same_responses(recordings)]
    if subject is None:
        problems += _nobody_heard(dataset, heard)
    return Report(
        dataset.name,
        str(dataset.path),
        dataset.simulated,
        tuple(checked.summary for checked in subjects),
        tuple(sorted((_relative(problem, dataset.path) for problem in problems), key=_errors_first)),
        (
            *dataset.facts,
            *_stimulus_facts(dataset, stimuli),
            *_shared_stories(dataset),
            *_without_repeats(subjects),
            *(fact for checked in subjects for fact in checked.facts),
        ),
    )


def _opened(path_or_name: str | Path) -> tuple[Dataset | None, list[Problem]]:
    folder = demo_folder() if path_or_name == "demo" else Path(path_or_name)
    try:
        with reachable(folder):
            described = (folder / FILE_NAME).is_file()
        if not described:
            return load_dataset(path_or_name), []
    except DatasetError as error:
        return None, [Problem.of(error, "dataset")]
    description, errors = read_description(folder / FILE_NAME)
    problems = [_relative(Problem.of(error, "dataset"), folder) for error in errors]
    return FolderDataset(folder, description) if description else None, problems


def _expected_rows(dataset: Dataset, stories: Iterable[str]) -> tuple[dict[str, int | None], list[Problem]]:
    try:
        rows = {story: dataset.expected_rows(story) for story in stories}
    except DatasetError as error:
        return {}, [Problem.of(error, "table")]
    unlisted = sorted(story for story, count in rows.items() if count is None)
    if not unlisted or len(unlisted) == len(rows):
        return rows, []
    problem = f"its table of rows (ds003020: respdict.json) does not list {', '.join(unlisted)}."
    return rows, [
        Problem(
            "table",
            str(dataset.path),
            problem,
            "the number of rows of each story.",
            "The rows of these stories are not compared with anything; take the table that came with them.",
            "warning",
        )
    ]


def _nobody_heard(dataset: Dataset, heard: set[str]) -> Iterator[Problem]:
    if not dataset.subject_names:
        yield Problem(
            "responses",
            str(dataset.path),
            "no subject.",
            "responses of one subject or more.",
            "Download the responses of a subject.",
        )
    for name in dataset.stories:
        if dataset.subject_names and name not in heard:
            yield Problem(
                "unheard",
                str(dataset.path),
                f"no subject has responses to {name}.",
                "a response file for each story.",
                "It is not used; download or name its responses, or take it out of the data set.",
                "warning",
            )


def _stimulus_facts(dataset: Dataset, stimuli: Mapping[str, StimulusCheck]) -> Iterator[str]:
    rates = Counter(stimulus.facts.rate for stimulus in stimuli.values() if stimulus.facts)
    for rate, count in sorted(rates.items()):
        if rate != SAMPLE_RATE:
            yield f"{count} of {len(stimuli)} sounds are at {rate} Hz: resampled to {SAMPLE_RATE} Hz."
    silent = [name for name in stimuli if dataset.stories[name].transcript is None]
    if silent:
        yield f"{len(silent)} of {len(stimuli)} stories have no transcript; only probes need one."
    yield from transcript_facts({name: one.transcript for name, one in stimuli.items() if one.transcript})


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


def _without_repeats(subjects: Iterable[SubjectCheck]) -> Iterator[str]:
    names = [checked.summary["subject"] for checked in subjects if not checked.has_repeats]
    if names:
        yield f"No ceiling can be computed from repeats of a test story for: {', '.join(names)}."


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


def _errors_first(problem: Problem) -> int:
    return ("error", "warning").index(problem.severity)
