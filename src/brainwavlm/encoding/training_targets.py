"""What the readout learns to predict: the responses, or what a control puts in their place.

Training and validation stories only: test stories keep their responses, and scores never pass through here. The same
(seed, story) always gives the same targets, in every epoch and after a resume.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from brainwavlm.config import RunConfig
from brainwavlm.encoding.control_targets import CONTROLS, tuned_on
from brainwavlm.encoding.controls import story_generator
from brainwavlm.encoding.prepared_stories import PreparedStory
from brainwavlm.encoding.run_data import RunData
from brainwavlm.errors import ConfigError


class TrainingTargets:
    """The targets of one subject of a run, by story.

    Parameters
    ----------
    data : RunData
    config : RunConfig

    Attributes
    ----------
    n_targets : int
        Columns: the run's voxels, phone classes, or dimensions of the word embeddings.

    Raises
    ------
    ConfigError, DatasetError
        The control cannot be made of these stories: too short, too few, without a transcript.
    """

    def __init__(self, data: RunData, config: RunConfig):
        self._config, self._recordings = config, tuned_on(data)
        kind = config.control.kind
        if kind in ("words", "phones") and config.loss.ceiling_weighted:
            raise ConfigError(
                "loss.ceiling_weighted",
                f"true, with control.kind {kind}, whose targets are no voxels.",
                "false: only voxels have a noise ceiling.",
                "Set loss.ceiling_weighted=false, or choose another control.",
            )
        self._control = None if kind == "none" else CONTROLS[kind](data, config)
        n_targets = None if self._control is None else self._control.n_targets
        self.n_targets = int(data.voxels.sum()) if n_targets is None else n_targets

    def facts(self) -> dict[str, Any]:
        """What run.json says of it."""
        control = self._config.control
        more = {} if self._control is None else self._control.facts
        facts = {"kind": control.kind, "n_targets": self.n_targets, "voxels": control.has_voxels}
        return {"control": {**facts, **more}}

    def apply(self, story: PreparedStory) -> PreparedStory:
        """The story with its targets, (n_trs, n_targets) float32 and z-scored, in place of its responses."""
        if self._control is None or story.story not in self._recordings:
            return story
        generator = story_generator(self._config.seed, story.story)
        made = self._control.targets(story, self._recordings[story.story], generator)
        targets = torch.from_numpy(np.ascontiguousarray(made))
        return replace(story, responses=targets.to(story.responses.device))
