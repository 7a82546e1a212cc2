"""What a run trains: its speech model and its readout, made from a configuration or read from a checkpoint."""

from collections.abc import Iterable, Sequence

import torch

from brainwavlm.config import RunConfig
from brainwavlm.encoding.prepared_stories import PreparedStory
from brainwavlm.encoding.readout import build_readout
from brainwavlm.errors import ConfigError
from brainwavlm.runs.checkpoint import Checkpoint, restoring
from brainwavlm.runs.run import Run
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.hidden_states import Backbone


def configured_backbone(config: RunConfig, layers: Sequence[int] = ()) -> Backbone:
    """The speech model of a run, untuned, with its adapters. Draws from torch's generator.

    It gives the run's hidden state, and `layers` besides: deeper ones come through blocks without adapters.

    Raises
    ------
    ConfigError
        A stream with the model's own training noise, which is made for windows.
    """
    if config.windows.mode == "stream" and config.backbone.train_noise:
        raise ConfigError(
            "backbone.train_noise",
            "true, with windows.mode stream.",
            "false: SpecAugment masks each window anew, and a stream has none.",
            "Set backbone.train_noise=false, or windows.mode=windows.",
        )
    own, adapter = config.backbone.layer, config.adapter
    if max(layers, default=own) > own and adapter.method != "frozen" and not config.quirks.run_unused_blocks:
        first, last = adapter.layers or (1, own)
        adapter = adapter.model_copy(update={"layers": (first, min(last, own))})
    backbone = load_backbone(
        config.backbone.name,
        sorted({own, *layers}),
        adapter=adapter,
        train_noise=config.backbone.train_noise,
        run_unused_blocks=config.quirks.run_unused_blocks,
    )
    return backbone.configure(config)


def configured_readout(config: RunConfig, n_dims: int, n_targets: int) -> torch.nn.Module:
    """The readout of a run, untrained. Draws from torch's generator."""
    return build_readout(config.readout, n_dims * len(config.alignment.delays), n_targets)


def tuned_backbone(run: Run, which: str | int = "best", layers: Sequence[int] = ()) -> Backbone:
    """The speech model of a run's best or last checkpoint or of an epoch, on the CPU, in eval mode.

    `layers` as in `configured_backbone`.

    Raises
    ------
    BackboneError
        The model has no such hidden state.
    RunError
        No epoch is finished.
    """
    backbone = configured_backbone(run.config, layers)
    load_state(run.checkpoint(which), run.config, backbone)
    return backbone.eval()


def tuned_readout(run: Run, n_dims: int) -> torch.nn.Module:
    """The readout of a run's best checkpoint, in eval mode; `n_dims` of a hidden state."""
    readout = configured_readout(run.config, n_dims, run.n_targets)
    load_state(run.checkpoint(), run.config, readouts=[(run.listener, readout)])
    return readout.eval()


def predict(
    backbone: Backbone, readout: torch.nn.Module, story: PreparedStory, config: RunConfig
) -> torch.Tensor:
    """The readout's prediction of a whole story in eval mode, (n_trs, n_voxels) float32."""
    backbone.eval()
    readout.eval()
    with torch.no_grad():
        return readout(story.story_design(backbone, config)).float()


def model_state(
    backbone: Backbone, readouts: Iterable[torch.nn.Module], config: RunConfig
) -> dict[str, torch.Tensor]:
    """Trained weights of the speech model and of each subject's readout, as a checkpoint holds them."""
    state = {f"backbone.{key}": value for key, value in backbone.trained_state().items()}
    for number, readout in enumerate(readouts):
        before = _readout_prefix(config, number)
        state |= {f"{before}{key}": value for key, value in readout.state_dict().items()}
    return state


def load_state(
    checkpoint: Checkpoint,
    config: RunConfig,
    backbone: Backbone | None = None,
    readouts: Iterable[tuple[int, torch.nn.Module]] = (),
) -> None:
    """Put a checkpoint's weights into a speech model, and into readouts by the numbers of their subjects."""
    with restoring(checkpoint):
        if backbone is not None:
            backbone.load_trained_state(_below("backbone.", checkpoint))
        for number, readout in readouts:
            readout.load_state_dict(_below(_readout_prefix(config, number), checkpoint))


def _readout_prefix(config: RunConfig, number: int) -> str:
    return f"readout.{number}." if config.joint and not config.readout.shared else "readout."


def _below(prefix: str, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in checkpoint.model.items() if key.startswith(prefix)
    }
