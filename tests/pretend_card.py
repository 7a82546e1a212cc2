"""A pretend CUDA card: numbers of the CPU in tensors that say `cuda:0`, counted.

Raises where tensors of both devices meet. Counts `kernels` (operations that make a tensor) and `waits`, for which the
host has to wait until the card has done its work: a number or a tensor that is fetched, a copy to the card that is not
`non_blocking`, an index of booleans. Blind to CUDA's own kernels, autocast and compilers.
"""

import contextlib
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

CARD = torch.device("cuda:0")
VIEWS = "view transpose t permute slice select unsqueeze squeeze expand split unbind split_with_sizes detach"
VIEWS += " alias as_strided _unsafe_view diagonal lift_fresh empty _reshape_alias empty_like new_empty unfold"
VIEWS = {*VIEWS.split(), "is_same_size", "squeeze_", "unsqueeze_"}
FETCHES = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2"}
MAY_MIX = {"index", "index_put", "index_put_", "_index_put_impl_", "copy_"}
counts: Counter[str] = Counter()


class OnCard(torch.Tensor):
    """A tensor of the pretend card; `values` are on the CPU."""

    values: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, values):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
        )
        made.values = values
        return made

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return performed(operation, args, kwargs or {})

    device = property(lambda self: CARD)
    is_cuda = property(lambda self: True)

    def __repr__(self):
        return f"OnCard({tuple(self.shape)})"

    def numpy(self, *_, **__):
        raise TypeError("numpy cannot read a tensor of the card.")

    __array__ = numpy

    def cpu(self, *_, **__):
        counts["waits"] += 1
        return Fetched.apply(self) if self.requires_grad and torch.is_grad_enabled() else self.values.clone()

    def tolist(self):
        return self.cpu().tolist()

    def to(self, *args, **kwargs):
        if args and isinstance(args[0], torch.Tensor):
            device, dtype = args[0].device, args[0].dtype
        else:
            device, dtype, _, _ = torch._C._nn._parse_to(
                *args, **{k: v for k, v in kwargs.items() if k != "copy"}
            )
        if device is not None and device.type == "cpu":
            return self.cpu() if dtype is None else self.cpu().to(dtype)
        return self if dtype in (None, self.dtype) else torch.ops.aten._to_copy(self, dtype=dtype)

    def new_tensor(self, data, dtype=None, **_):
        counts["waits"] += 1
        return OnCard(torch.tensor(data, dtype=dtype or self.dtype))


class Fetched(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor):
        return tensor.values.clone()

    @staticmethod
    def backward(ctx, gradient):
        return OnCard(gradient)


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return performed(operation, args, kwargs or {})


def performed(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation on the CPU; its outputs are the card's where an input is, or where they are asked for there."""
    name = operation._schema.name.partition("::")[2]
    flat, form = tree_flatten((args, kwargs))
    ours = [one for one in flat if isinstance(one, OnCard)]
    others = [one for one in flat if isinstance(one, torch.Tensor) and not isinstance(one, OnCard)]
    asked = kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "cuda"
    if ours and any(one.ndim for one in others) and name not in MAY_MIX:
        raise RuntimeError(f"{name}: tensors on cuda:0 and on the CPU.")
    sent = name == "_to_copy" and asked and not ours
    counts["waits"] += bool(ours) and (name in FETCHES or (name == "copy_" and bool(others)))
    counts["waits"] += sent and not kwargs.get("non_blocking")
    if ours and name in MAY_MIX - {"copy_"}:
        counts["waits"] += any(
            index is not None and (not isinstance(index, OnCard) or index.dtype == torch.bool)
            for index in args[1]
        )
    args, kwargs = tree_unflatten([one.values if isinstance(one, OnCard) else one for one in flat], form)
    if asked:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    outputs = operation(*args, **kwargs)
    if not (ours or asked) or name == "_local_scalar_dense":
        return outputs
    counts["kernels"] += name not in VIEWS
    same = {id(one.values): one for one in ours}
    return tree_map(lambda one: same.get(id(one), one) if id(one) in same else _on_card(one), outputs)


def _made(make: Any, data: Any, *args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
    made = make(data, *args, **kwargs)
    return made if device is None or torch.device(device).type == "cpu" else made.to(device)


def _on_card(output: Any) -> Any:
    return OnCard(output) if isinstance(output, torch.Tensor) else output


@contextlib.contextmanager
def pretend_card(monkeypatch):
    """Everything that asks for a card gets the pretend one."""
    monkeypatch.setattr("accelerate.Accelerator.device", property(lambda self: CARD))
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(total_memory=8e10))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self, *_: self)
    monkeypatch.setattr(torch.__future__, "set_overwrite_module_params_on_conversion", lambda _: None)
    monkeypatch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
    for name in ("tensor", "as_tensor"):  # these ask no mode
        monkeypatch.setattr(torch, name, partial(_made, getattr(torch, name)))
    # A thread that reads ahead would be outside of the mode.
    monkeypatch.setattr("brainwavlm.encoding.story_loader.StoryLoader.expect", lambda *_: None)
    counts.clear()
    with Mode():
        yield counts
