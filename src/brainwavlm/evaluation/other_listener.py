"""A run's speech model for another listener: the stories that this one heard, and any layer."""

from collections.abc import Sequence

from brainwavlm.datasets import load_dataset
from brainwavlm.encoding.models import load_backbone_state, tuned_model
from brainwavlm.encoding.setting import Setting
from brainwavlm.runs import Run
from brainwavlm.speech.backbones import Backbone, load_backbone
from brainwavlm.stimulus.same_sounds import same_content


def seen_while_tuning(run: Run, setting: Setting) -> list[str]:
    """Test stories of a listener that the run's speech model was tuned on, or its epoch chosen by, sorted.

    A sound that tuning heard under another name, or from another data set, counts too.
    """
    used = {
        f"{number}/{name}": stories[name].audio
        for number, side in enumerate(run.sides)
        for stories in [load_dataset(side.config.dataset).stories]
        for name in (*side.manifest["splits"]["train"], *side.manifest["splits"]["validation"])
        if name in stories
    }
    tested = {f"test/{r.story.name}": r.story for r in setting.splits["test"]}
    sounds = same_content(used | {key: story.audio for key, story in tested.items()})
    heard = {sounds[name] for name in used}
    return sorted(story.name for key, story in tested.items() if sounds[key] in heard)


def tuned_backbone(run: Run, layer: int | Sequence[int] | None = None) -> Backbone:
    """The speech model of a run's best epoch, which gives hidden state `layer`, or several (None: that of the run).

    A deeper state goes through blocks that were never tuned, a shallower one through fewer of those that were.

    Parameters
    ----------
    run : Run
    layer : int, sequence of int, or None

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
    asked = {own} if layer is None else {layer} if isinstance(layer, int) else set(layer)
    if asked <= {own}:
        return tuned_model(run)[0]
    adapter = config.adapter
    if not every and adapter.method != "frozen":
        # The blocks that the run adapted, and no others, whatever is read now.
        first, last = adapter.layers or (1, own)
        adapter = adapter.model_copy(update={"layers": (first, min(last, own))})
    layers = sorted({own, *asked})
    backbone = load_backbone(config.backbone.name, layers, adapter=adapter, run_unused_blocks=every)
    backbone.memory_gb = config.backbone.memory_gb
    load_backbone_state(backbone, run.checkpoint("best"))
    return backbone.eval()
