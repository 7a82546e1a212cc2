"""What a run trains: its speech model and its readout, made from a configuration or read from a checkpoint."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.datasets.base import Recording
from brainwavlm.encoding.materials import Material
from brainwavlm.encoding.readout import FixedRidge, build_readout
from brainwavlm.encoding.ridge import ridge_batches
from brainwavlm.encoding.setting import Setting
from brainwavlm.encoding.shelf import Shelf
from brainwavlm.encoding.supervision import Supervision
from brainwavlm.errors import ConfigError
from brainwavlm.runs import Checkpoint, Run, versions
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


def run_manifest(
    config: RunConfig, setting: Setting, supervision: Supervision, backbone: Backbone
) -> dict[str, Any]:
    """What run.json says: the configuration, the data, the untuned speech model and the versions."""
    untuned = load_backbone(config.backbone.name, config.backbone.layer)
    return {
        "config": config.model_dump(mode="json"),
        "splits": setting.story_names(),
        "data": setting.facts() | supervision.facts(),
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
    load_model(backbone, readout, run.checkpoint(which))
    return backbone.eval(), readout.eval()


def solve_readout(
    readout: FixedRidge, backbone: Backbone, shelf: Shelf, stories: Sequence[str], config: RunConfig
) -> None:
    """Put the ridge solution on the present features of some stories into a closed-form readout."""
    backbone.eval()
    designs = [material.story_design(backbone, config).cpu().numpy() for material in shelf.each(stories)]
    story_of_row = np.repeat(np.arange(len(stories)), [len(design) for design in designs])

    def read(columns: slice) -> np.ndarray:
        return np.concatenate([shelf[story].responses[:, columns].cpu().numpy() for story in stories])

    n_voxels = readout.weights.shape[1]
    batches = ridge_batches(np.concatenate(designs), read, n_voxels, story_of_row, config.ridge)
    readout.refresh(np.concatenate([batch.weights for batch in batches], axis=1))


def predict(
    backbone: Backbone, readout: torch.nn.Module, material: Material, config: RunConfig
) -> torch.Tensor:
    """The readout's prediction of a whole story in eval mode, (n_trs, n_voxels) float32."""
    backbone.eval()
    readout.eval()
    with torch.no_grad():
        return readout(material.story_design(backbone, config)).float()


def load_model(backbone: Backbone, readout: torch.nn.Module, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights into a backbone and a readout of the same shapes."""
    parts: dict[str, dict[str, torch.Tensor]] = {"backbone": {}, "readout": {}}
    for key, value in checkpoint.model.items():
        part, name = key.split(".", 1)
        parts[part][name] = value
    backbone.load_trained_state(parts["backbone"])
    readout.load_state_dict(parts["readout"])
