"""A run's speech model for another listener: the stories that this one heard, and any layer."""

from collections.abc import Sequence

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Dataset, Subject, heard_elsewhere
from brainwavlm.encoding.models import tuned_model
from brainwavlm.encoding.setting import Setting
from brainwavlm.evaluation.time_only import same_sounds
from brainwavlm.runs import Run
from brainwavlm.speech.backbones import Backbone, load_backbone


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


def seen_while_tuning(run: Run, dataset: Dataset, setting: Setting) -> list[str]:
    """Test stories of a listener that the run's speech model was tuned on, or its epoch chosen by.

    A sound that tuning heard under another name counts too.
    """
    splits = run.manifest["splits"]
    used = [name for name in (*splits["train"], *splits["validation"]) if name in dataset.stories]
    test = [recording.story for recording in setting.splits["test"]]
    sounds = same_sounds([*(dataset.stories[name] for name in used), *test])
    heard = {sounds[name] for name in used}
    again = [story.name for story in test if sounds[story.name] in heard]
    return heard_elsewhere(dataset, [*used, *again], [story.name for story in test])


def tuned_backbone(run: Run, layer: int | None = None) -> Backbone:
    """The speech model of a run's best epoch, which gives hidden state `layer` (None: that of the run).

    A deeper state goes through blocks that were never tuned, a shallower one through fewer of those that were.

    Parameters
    ----------
    run : Run
    layer : int or None

    Returns
    -------
    Backbone
        On the CPU, in eval mode. It may give the run's own layer too.

    Raises
    ------
    BackboneError
        The model has no such hidden state.
    RunError
        No epoch is finished.
    """
    config = run.config
    own, every = config.backbone.layer, config.quirks.run_unused_blocks
    if layer is None or layer == own:
        return tuned_model(run)[0]
    adapter = config.adapter
    if not every and adapter.method != "frozen":
        # The blocks that the run adapted, and no others, whatever is read now.
        first, last = adapter.layers or (1, own)
        adapter = adapter.model_copy(update={"layers": (first, min(last, own))})
    backbone = load_backbone(
        config.backbone.name, sorted({own, layer}), adapter=adapter, run_unused_blocks=every
    )
    backbone.memory_gb = config.backbone.memory_gb
    state = run.checkpoint("best").model
    own_part = "backbone."
    backbone.load_trained_state(
        {key.removeprefix(own_part): value for key, value in state.items() if key.startswith(own_part)}
    )
    return backbone.eval()
