"""Heads on hidden states: a weighted sum over states, then a linear map or a few convolutions over frames."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

WIDTH, KERNEL, DROPOUT = 128, 5, 0.1
PATIENCE = 5  # epochs without a better loss on the utterances that choose the epoch
RATE = 2e-3
# (outputs (n_rows, n_frames, n_out), frames of each (n_rows,), numbers of rows) to the mean loss of a row
Loss = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
States = Mapping[str, Sequence[Tensor]]  # rows (n_frames, n_layers, n_dims) by split


class Head(nn.Module):
    """y = body(sum_l softmax(a)[l] (x[l] - mean[l]) / deviation[l]), as in SUPERB but for the standardised states.

    The body is a linear map; or, `over_frames`, two convolutions over 5 frames, 128 wide, each added to what it is
    given, between two. Mean and deviation by state and dimension are those of the states (n_frames, n_layers, n_dims)
    that it will learn from.

    References
    ----------
    Yang et al. 2021 (arXiv 2105.01051).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, states: Sequence[Tensor], n_out: int, over_frames: bool):
        super().__init__()
        n = sum(map(len, states))
        mean = torch.stack([some.double().sum(0) for some in states]).sum(0) / n
        power = torch.stack([(some.double() - mean).square().sum(0) for some in states]).sum(0) / n
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", power.sqrt().float().clamp(min=1e-6))
        self.weights = nn.Parameter(torch.zeros(len(mean)))
        n_dims = mean.shape[1]
        self.first = nn.Sequential(nn.Linear(n_dims, WIDTH), nn.GELU()) if over_frames else nn.Identity()
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(DROPOUT), nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2), nn.GELU()
            )
            for _ in range(2 * over_frames)
        )
        self.last = nn.Linear(WIDTH if over_frames else n_dims, n_out)

    def forward(self, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Outputs (n_rows, n_frames, n_out) of rows (n_frames, n_layers, n_dims), and how many frames each has."""
        device = self.mean.device
        lengths = torch.tensor([len(some) for some in states], device=device)
        padded = pad_sequence(list(states), batch_first=True).to(device).float()
        there = (torch.arange(padded.shape[1], device=device) < lengths[:, None])[..., None]
        hidden = self.first(torch.einsum("l,btld->btd", self.shares, (padded - self.mean) / self.deviation))
        for convolution in self.convolutions:  # behind its end a row is silent, as if it were alone
            hidden = hidden + convolution((hidden * there).transpose(1, 2)).transpose(1, 2)
        return self.last(hidden), lengths

    @property
    def shares(self) -> Tensor:
        """Of each hidden state, (n_layers,), sum 1."""
        return self.weights.softmax(0)


class Training(NamedTuple):
    """How heads are trained: the seed of weights, order and dropout; epochs at most; the device."""

    seed: int
    epochs: int
    device: torch.device


def trained(
    n_out: int, over_frames: bool, loss: Mapping[str, Loss], states: States, size: int, training: Training
) -> Head:
    """A head, trained by Adam; of its epochs that with the lowest loss on `validation`.

    Heads on two models of one shape begin alike and see the same order. Five epochs that are no better are the last.
    `size` is rows of a batch, `loss` by split.
    """
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        head = Head(states["train"], n_out, over_frames).to(training.device)
        others = [p for name, p in head.named_parameters() if name != "weights"]
        groups: list[dict[str, Any]] = [{"params": others}, {"params": [head.weights], "lr": 10 * RATE}]
        optimiser = torch.optim.Adam(groups, lr=RATE)
        best, kept, waited = float("inf"), copy.deepcopy(head.state_dict()), 0
        for _ in range(training.epochs):
            head.train()
            for rows in _batches(states["train"], size, shuffled=True):
                optimiser.zero_grad()
                said, lengths = head([states["train"][n] for n in rows])
                loss["train"](said, lengths, rows).backward()
                optimiser.step()
            value = _mean_loss(head.eval(), loss["validation"], states["validation"], size)
            waited += 1
            if value < best:
                best, kept, waited = value, copy.deepcopy(head.state_dict()), 0
            if waited == PATIENCE:
                break
        head.load_state_dict(kept)
    return head.eval()


@torch.no_grad()
def outputs(head: Head, states: Sequence[Tensor], size: int) -> list[Tensor]:
    """Outputs of rows, (n_frames, n_out) each, on the CPU."""
    said: dict[int, Tensor] = {}
    for rows in _batches(states, size):
        values, lengths = head([states[row] for row in rows])
        said |= {row: value[:n].cpu() for row, value, n in zip(rows, values, lengths.tolist(), strict=True)}
    return [said[row] for row in range(len(states))]


@torch.no_grad()
def _mean_loss(head: Head, loss: Loss, states: Sequence[Tensor], size: int) -> float:
    total = 0.0
    for rows in _batches(states, size):
        said, lengths = head([states[n] for n in rows])
        total += float(loss(said, lengths, rows)) * len(rows)
    return total / len(states)


def _batches(states: Sequence[Tensor], size: int, shuffled: bool = False) -> Iterator[list[int]]:
    """Numbers of rows of about one length, in random order or as they are."""
    order = torch.randperm(len(states)).tolist() if shuffled else list(range(len(states)))
    order.sort(key=lambda n: len(states[n]))
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    for place in torch.randperm(len(batches)).tolist() if shuffled else range(len(batches)):
        yield batches[place]
