"""A joint run as each of its subjects sees it: the same configuration, that subject in front."""

from collections import Counter
from collections.abc import Sequence

from brainwavlm.config import ListenerConfig, RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.base import Subject
from brainwavlm.errors import ConfigError
from brainwavlm.runs.run import Run


def subject_views(config: RunConfig) -> list[RunConfig]:
    """The configuration as each listener sees it; alone, the configuration itself."""
    everyone = (
        ListenerConfig(
            subject=config.subject,
            dataset=config.dataset,
            train=config.train,
            validation=config.validation,
            test=config.test,
            train_from=config.train_from,
        ),
        *(_resolved(listener, config) for listener in config.joint),
    )
    return [config] + [
        config.model_copy(
            update={**dict(everyone[n]), "joint": (*everyone[:n], *everyone[n + 1 :])},
        )
        for n in range(1, len(everyone))
    ]


def heard_by(config: RunConfig, subject: Subject, test: Sequence[str] | None = None) -> RunConfig:
    """The configuration for another listener of the data set.

    Stories that it names for a split stay there where this listener heard them.

    Parameters
    ----------
    config : RunConfig
    subject : Subject
    test : sequence of str or None
        Test stories of this listener in place of the configured ones; they leave the other splits.
    """
    named = {
        split: tuple(story for story in stories if story in subject.recordings and story not in (test or ()))
        for split in ("train", "validation", "test")
        if (stories := getattr(config, split)) is not None
    }
    if test is not None:
        named["test"] = tuple(test)
    return config.model_copy(update={"subject": subject.name, **named})


def distinct_runs(runs: Run | Sequence[Run]) -> list[Run]:
    """The runs; ConfigError where there is none, or one is named twice."""
    runs = [runs] if isinstance(runs, Run) else list(runs)
    paths = [run.path.resolve() for run in runs]
    if not runs or len(set(paths)) < len(paths):
        raise ConfigError(
            "runs",
            f"{len(runs)} runs, {len(set(paths))} different.",
            "one run or more.",
            "Name each run once.",
        )
    return runs


def run_names(runs: Sequence[Run]) -> list[str]:
    """Names of the folders, whole paths where two have one name; with the listener where one is there several times."""
    folders = Counter(run.path.resolve() for run in runs)
    short = Counter(folder.name for folder in folders)
    names = []
    for run in runs:
        folder = run.path.resolve()
        name = folder.name if short[folder.name] == 1 else str(run.path)
        names.append(f"{name} ({run.listeners[run.listener]})" if folders[folder] > 1 else name)
    return names


def subject_runs(runs: Run | Sequence[Run]) -> list[Run]:
    """Runs as each of their subjects sees them, each to be scored like a run of that subject alone.

    Raises
    ------
    ConfigError
        No run, or one named twice.
    """
    return [side for run in distinct_runs(runs) for side in run.sides]


def _resolved(listener: ListenerConfig, config: RunConfig) -> ListenerConfig:
    """With a data set, and with the run's stories where the listener has the run's data set and no own choice."""
    dataset = listener.dataset or config.dataset
    loaded = load_dataset(dataset)
    if listener.subject not in loaded.subject_names:
        raise ConfigError(
            "joint",
            f"{listener.subject!r} is not in {dataset}.",
            f"one of {', '.join(loaded.subject_names)}.",
            "Correct it.",
        )
    stories = {split: getattr(listener, split) for split in ("train", "validation", "test")}
    if dataset == config.dataset and not any(names is not None for names in stories.values()):
        heard = heard_by(config, loaded.subject(listener.subject))
        stories = {split: getattr(heard, split) for split in stories}
    return listener.model_copy(update={"dataset": dataset, **stories})
