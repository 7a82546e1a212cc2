"""Devices, precision, processes and random state."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import reduce
from torch import distributed

from brainwavlm.config import RunConfig
from brainwavlm.errors import ConfigError

Precision = Literal["float32", "tf32", "bf16"]


def accelerator_for(config: RunConfig, folder: Path, processes: bool = False) -> Accelerator:
    """Device, precision, trackers and, where the caller can share its work, processes.

    Raises
    ------
    ConfigError
        A device that is not here, or a tracker that is not installed.
    """
    tracking = None if config.tracking == "none" else config.tracking
    if tracking and find_spec(tracking) is None:  # accelerate would go on without it, and say nothing
        raise ConfigError(
            "tracking",
            f"{tracking} is not installed.",
            "none, or a tracker that is installed.",
            "Install it:  pip install 'brainwavlm[tracking]'",
        )
    try:
        accelerator = Accelerator(
            # Without a device accelerate forgets the other processes, unless it is told to use the CPU; on a Mac it
            # would take mps.
            cpu=config.device == "cpu" or not torch.cuda.is_available(),
            mixed_precision="no",  # `products` is ours: it leaves out what has to stay float32
            log_with=tracking,
            project_dir=str(folder) if tracking else None,
        )
    except (ValueError, ImportError) as error:
        raise ConfigError(
            "device, tracking",
            str(error).splitlines()[0],
            "what this machine has.",
            "Try device=auto; trackers: pip install 'brainwavlm[tracking]'",
        ) from None
    if config.device not in ("auto", accelerator.device.type):
        on_a_mac = config.device == "mps" and torch.backends.mps.is_available()
        raise ConfigError(
            "device",
            "mps has no float64, in which rows are summed." if on_a_mac else f"{config.device} is not here.",
            f"auto or {accelerator.device.type}.",
            "Set device=auto.",
        )
    if accelerator.num_processes > 1 and not processes:
        raise ConfigError(
            "processes",
            f"{accelerator.num_processes} processes.",
            "one: only `tune` shares its work.",
            "Start this command without a launcher.",
        )
    if tracking:
        accelerator.init_trackers("brainwavlm", config=None)
    return accelerator


def device_of(config: RunConfig) -> torch.device:
    """Where the configuration computes, without a tracker."""
    return accelerator_for(config.model_copy(update={"tracking": "none"}), Path()).device


def card_gb(device: torch.device) -> float:
    """Memory of a CUDA card, in GB."""
    return torch.cuda.get_device_properties(device).total_memory / 1e9


def on_device(array: np.ndarray, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """A copy of an array there. The host goes on at once: it does not wait for what a card has yet to do."""
    return sent(torch.from_numpy(array).to(dtype), device)


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host there, likewise."""
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


@contextmanager
def float32_products(precision: Precision, device: torch.device) -> Iterator[None]:
    """What float32 means: itself, or TF32 (ten bits of mantissa, CUDA alone). A backward pass needs it again."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    # Stock torch runs convolutions in TF32 there, whatever is asked of products. Under bf16 what autocast leaves out
    # may use it too.
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Products and convolutions of a forward pass: `float32_products`, or in bf16 by autocast."""
    bf16 = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
    with float32_products(precision, device), bf16:
        yield


def own_share(items: np.ndarray) -> np.ndarray:
    """What of these falls to this process: all, where there is one."""
    if not _several_processes():
        return items
    number, n = distributed.get_rank(), distributed.get_world_size()
    return items[number * len(items) // n : (number + 1) * len(items) // n]


def summed(part: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over the processes; the tensor itself, where there is one.

    For a loss that each process computes from the sum, divided by their number, and gradients that are added up over
    them: that of the part is multiplied by the number.
    """
    return _Sum.apply(part) if _several_processes() else part


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        return reduce(part, "sum")

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * distributed.get_world_size()


def _several_processes() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def separate(accelerator: Accelerator, seed: int, step: int) -> None:
    """Another random state in each process but the first, so that dropouts differ between them."""
    if not accelerator.is_main_process:
        words = np.random.SeedSequence([seed, step, accelerator.process_index]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0] >> 1))


def seed_everything(seed: int) -> None:
    """One seed for weights, dropout and libraries."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  peft and transformers draw from the global state
    torch.manual_seed(seed)
