"""What tests of the loop share: a loop that writes nothing, a run that is killed, and what two runs have in common."""

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


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may catch it."""


class KillAt(Progress):
    """Ends the run after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def step(self, loss):
        self.left -= 1
        if self.left == 0:
            raise Killed


def tensors(run, which="last"):
    checkpoint = run.checkpoint(which)
    return {**checkpoint.model, **checkpoint.optimiser}


def assert_identical(left, right):
    assert left.keys() == right.keys()
    different = [key for key in left if not torch.equal(left[key], right[key])]
    assert not different, different


def history(run):
    return [{key: value for key, value in event.items() if key != "time"} for event in run.log()]
