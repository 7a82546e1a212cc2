"""What a run trains: its speech model and its readout, made from a configuration or read from a checkpoint."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.responses import Recording
from brainwavlm.encoding.prepared_stories import PreparedStory
from brainwavlm.encoding.readout import FixedRidge, build_readout
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.subjects import Listener
from brainwavlm.errors import ConfigError
from brainwavlm.runs.checkpoint import Checkpoint, restoring
from brainwavlm.runs.environment import versions
from brainwavlm.runs.run import Run
from brainwavlm.speech.backbones import Backbone, load_backbone


def configured_backbone(config: RunConfig) -> Backbone:
    """The speech model of a run, untuned, with its adapters. Draws from torch's generator.

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
    backbone = load_backbone(
        config.backbone.name,
        config.backbone.layer,
        adapter=config.adapter,
        train_noise=config.backbone.train_noise,
        run_unused_blocks=config.quirks.run_unused_blocks,
    )
    backbone.recompute, backbone.memory_gb = config.training.recompute, config.backbone.memory_gb
    return backbone


def configured_readout(config: RunConfig, backbone: Backbone, n_targets: int) -> torch.nn.Module:
    """The readout of a run, untrained. Draws from torch's generator."""
    return build_readout(config.readout, backbone.n_dims * len(config.alignment.delays), n_targets)


def configured_readouts(
    config: RunConfig, backbone: Backbone, n_targets: Sequence[int]
) -> list[torch.nn.Module]:
    """The readouts of a run, untrained: one a listener, or the same one for all. Draws from torch's generator."""
    if config.readout.shared:
        return [configured_readout(config, backbone, n_targets[0])] * len(n_targets)
    return [configured_readout(config, backbone, size) for size in n_targets]


def require_rows(config: RunConfig, stories: Sequence[Recording]) -> None:
    """ConfigError where a delay is longer than every story: its part of the design would be empty."""
    longest = max(recording.shape[0] for recording in stories)
    if max(config.alignment.delays) >= longest:
        raise ConfigError(
            "alignment.delays",
            f"{list(config.alignment.delays)}, where the longest training story has {longest} TRs.",
            "delays in TRs, each shorter than a training story.",
            "Set them to cover the haemodynamic response, e.g. alignment.delays=[1,2,3,4].",
        )


def run_manifest(config: RunConfig, listeners: Sequence[Listener], backbone: Backbone) -> dict[str, Any]:
    """What run.json says: the configuration, the data, the untuned speech model and the versions.

    A joint run also has `listeners`: the configuration and the data as each of them sees it.
    """
    untuned = load_backbone(config.backbone.name, config.backbone.layer)
    seen = [{"config": one.config.model_dump(mode="json"), **one.facts()} for one in listeners]
    together = [{"name": one.name, **facts} for one, facts in zip(listeners, seen, strict=True)]
    return {
        **seen[0],
        **({"listeners": together} if len(seen) > 1 else {}),
        "backbone": {
            "family": backbone.family.name,
            "checksum": untuned.weights_checksum(),
            "train_noise": backbone.noise,
        },
        "versions": versions(),
    }


def tuned_model(run: Run, which: str | int = "best") -> tuple[Backbone, torch.nn.Module]:
    """The speech model and the readout of a run's best or last checkpoint or of an epoch, on the CPU, in eval mode."""
    backbone = configured_backbone(run.config)
    readout = configured_readout(run.config, backbone, run.n_targets)
    checkpoint = run.checkpoint(which)
    load_backbone_state(backbone, checkpoint)
    load_readout_state(readout, checkpoint, run.config, run.listener)
    return backbone.eval(), readout.eval()


def solve_readout(
    readout: FixedRidge, backbone: Backbone, loader: StoryLoader, stories: Sequence[str], config: RunConfig
) -> None:
    """Put the ridge solution on the present features of some stories into a closed-form readout."""
    backbone.eval()
    designs = [prepared.story_design(backbone, config).cpu().numpy() for prepared in loader.each(stories)]
    story_of_row = np.repeat(np.arange(len(stories)), [len(design) for design in designs])

    def read(columns: slice) -> np.ndarray:
        return np.concatenate([loader[story].responses[:, columns].cpu().numpy() for story in stories])

    n_voxels = readout.weights.shape[1]
    batches = ridge_batches(np.concatenate(designs), read, n_voxels, story_of_row, config.ridge)
    readout.refresh(np.concatenate([batch.weights for batch in batches], axis=1))


def predict(
    backbone: Backbone, readout: torch.nn.Module, prepared: PreparedStory, config: RunConfig
) -> torch.Tensor:
    """The readout's prediction of a whole story in eval mode, (n_trs, n_voxels) float32."""
    backbone.eval()
    readout.eval()
    with torch.no_grad():
        return readout(prepared.story_design(backbone, config)).float()


def model_state(
    backbone: Backbone, readouts: Iterable[torch.nn.Module], config: RunConfig
) -> dict[str, torch.Tensor]:
    """Trained weights of the speech model and of each listener's readout, as a checkpoint holds them."""
    state = {f"backbone.{key}": value for key, value in backbone.trained_state().items()}
    for listener, readout in enumerate(readouts):
        before = _readout_prefix(config, listener)
        state |= {f"{before}{key}": value for key, value in readout.state_dict().items()}
    return state


def load_backbone_state(backbone: Backbone, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights into a speech model of the same shape."""
    with restoring(checkpoint):
        backbone.load_trained_state(_below("backbone.", checkpoint))


def load_readout_state(
    readout: torch.nn.Module, checkpoint: Checkpoint, config: RunConfig, listener: int
) -> None:
    """Put a listener's weights of a checkpoint into a readout of the same shape."""
    with restoring(checkpoint):
        readout.load_state_dict(_below(_readout_prefix(config, listener), checkpoint))


def _readout_prefix(config: RunConfig, listener: int) -> str:
    return f"readout.{listener}." if config.joint and not config.readout.shared else "readout."


def _below(prefix: str, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in checkpoint.model.items() if key.startswith(prefix)
    }
