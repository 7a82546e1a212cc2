"""What tests of the loop share: a loop that writes nothing, and the design matrix that it makes of a block."""

from pathlib import Path

import torch

from brainwavlm.encoding.blocks import Block
from brainwavlm.encoding.tuning import TuningLoop
from brainwavlm.progress import Progress


def untuned_loop(config, *measured):
    """A loop in eval mode, with the moments of some stories under the untuned model."""
    loop = TuningLoop(config, Path(), Progress())
    loop.backbone.eval()
    for story in measured:
        loop.loader[story].measure(loop.backbone, loop.moments, config)
    loop.moments.next_epoch()
    return loop


def block_design(loop, story, start, stop):
    """What the readout is given for rows [start, stop), (n_rows, n_delays * n_dims), no graph."""
    designs = []
    hook = loop.readouts[0].register_forward_pre_hook(lambda _, inputs: designs.append(inputs[0]))
    with torch.no_grad():
        loop.loss(Block(story, start, stop))
    hook.remove()
    return designs[0]
