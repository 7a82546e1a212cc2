"""Names of listeners in the tables of a study: no two people share one."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from brainwavlm.config import RunConfig

Listener = tuple[str, str]  # data set, subject


def tuners(config: RunConfig) -> tuple[Listener, ...]:
    """Whose responses tune the model: the configured subject first, as the sides of its run are."""
    further = ((other.dataset or config.dataset, other.subject) for other in config.joint)
    return ((config.dataset, config.subject), *further)


def naming(configs: Iterable[RunConfig]) -> Callable[[Listener], str]:
    """A function from listeners to their names: the subject, after the data set where the cells have several.

    A data set is named by its folder; by the whole path where two folders have one name.

    Parameters
    ----------
    configs : iterable of RunConfig
        Of all cells of the study.
    """
    datasets = list(dict.fromkeys(dataset for config in configs for dataset, _ in tuners(config)))
    folders = Counter(Path(dataset).name for dataset in datasets)

    def name(listener: Listener) -> str:
        dataset, subject = listener
        if len(datasets) == 1:
            return subject
        folder = Path(dataset).name
        return f"{folder if folders[folder] == 1 else dataset}:{subject}"

    return name
