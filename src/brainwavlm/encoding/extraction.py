"""`brainwavlm features`: all layers of a speech model for each story of a data set, kept on disk."""

from pathlib import Path

from brainwavlm.config import RunConfig
from brainwavlm.datasets import load_dataset
from brainwavlm.progress import Progress
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import StoryFeatures, cached


def extract_dataset(
    config: RunConfig, folder: str | Path, subject: str | None = None, progress: Progress | None = None
) -> dict[str, StoryFeatures]:
    """Features of all layers, read from the folder where they are there already.

    Parameters
    ----------
    config : RunConfig
        Its dataset, backbone, windows and device.
    folder : str or Path
    subject : str or None
        Only the stories that this subject heard; None: all.
    progress : Progress or None

    Returns
    -------
    dict of story to StoryFeatures
    """
    dataset = load_dataset(config.dataset)
    names = sorted(dataset.stories if subject is None else dataset.subject(subject).recordings)
    backbone = load_backbone(config.backbone.name, "all").set_up(config)
    return {
        name: cached(
            backbone,
            dataset.stories[name].audio,
            config.windows,
            folder,
            dataset.stories[name].channel,
        )
        for name in (progress or Progress()).over(names, "Reading stories")
    }
