"""Step 3. wavlm-tiny-demo: a WavLM of two million parameters that imitates Whisper tiny.en.

Teacher: the encoder of Whisper tiny.en, run once over pieces of 30 s, 50 frames a second; targets y2 = hidden state
after block 2, y4 = normalised output, each of 384 dimensions. What depends on the place p within the 30 s alone is
taken out: Whisper adds absolute positions, which no student of short windows can know (a tenth of y2's variance).
    y(p) <- (y(p) - mean over pieces of y(p)) / standard deviation of the rest
Student: WavLMModel with hidden states h0..h4, 192 wide.
    loss = mean (A2 h2 + b2 - y2)^2 + mean (A4 h4 + b4 - y4)^2
    R2 = 1 - sum (prediction - y)^2 / sum y^2 on held-out speech
Crops of 1, 2, 4 and 8 s, 48 s of sound a step, so that it reads short windows as well as whole stories. Frame k of
the student is centred at 20 k + 12.5 ms, of the teacher at 20 k ms: the pair has the same k. The student hears gain
and noise that the teacher does not. AdamW, warm-up 200 steps, constant, linear to zero over the last 30 %; matrix
products in bfloat16. A checkpoint every 250 steps; the same command resumes.

    python distil.py --cache CACHE --whisper FOLDER --output MODEL_FOLDER [--steps 2750]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from synthesise import RATE
from torch import nn
from transformers import WavLMConfig, WavLMModel, WhisperFeatureExtractor, WhisperModel

HOP, PIECE = 320, 30 * RATE
FRAMES = PIECE // HOP
HELD_OUT = 20
CROPS = {1: 0.1, 2: 0.4, 4: 0.35, 8: 0.15}
SECONDS_A_STEP, RATE_MAX, WARM_UP, DECAY = 48, 1.5e-3, 200, 0.3


def student_config():
    """WavLM base made small: same strides, kernels and group-norm frontend; every noise of training off."""
    return WavLMConfig(
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=768,
        conv_dim=(96,) * 7,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=16,
        hidden_dropout=0.0,
        activation_dropout=0.0,
        attention_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
    )


def student_speech(cache):
    """Sound of the student's part, cut into pieces of 30 s: (n, 480000) int16."""
    lines = [json.loads(line) for line in (cache / "speech.jsonl").read_text().splitlines()]
    stop = max(line["stop"] for line in lines if line["part"] == "student")
    sound = np.memmap(cache / "speech.i16", np.int16, "r")
    return sound[: stop // PIECE * PIECE].reshape(-1, PIECE)


@torch.inference_mode()
def teacher_targets(pieces, whisper, cache):
    """Raw states (n, 1500, 2, 384) float16 on disk; over the training pieces their mean by position (1500, 2,
    384) and the deviation (2, 384) from it.
    """
    path = cache / "teacher.f16"
    shape = (len(pieces), FRAMES, 2, 384)
    if not path.exists():
        encoder, extractor = (
            WhisperModel.from_pretrained(whisper).encoder.eval(),
            WhisperFeatureExtractor.from_pretrained(whisper),
        )
        targets = np.memmap(cache / "teacher.part", np.float16, "w+", shape=shape)
        for i, piece in enumerate(pieces):
            mel = extractor(
                piece.astype(np.float32) / 32768, sampling_rate=RATE, return_tensors="pt"
            ).input_features
            states = encoder(mel, output_hidden_states=True)
            targets[i, :, 0], targets[i, :, 1] = states.hidden_states[2][0], states.last_hidden_state[0]
        targets.flush()
        (cache / "teacher.part").rename(path)
    targets = np.memmap(path, np.float16, "r", shape=shape)
    total, square = np.zeros(shape[1:]), np.zeros(shape[2:])
    for target in targets[:-HELD_OUT]:
        total += target
        square += np.square(target, dtype=np.float32).mean(0)
    n = len(targets) - HELD_OUT
    mean = total / n
    return targets, mean.astype(np.float32), np.sqrt(square / n - np.square(mean).mean(0)).astype(np.float32)


def crops(pieces, targets, mean, std, seconds, count, draw):
    """Sound (count, samples) with gain and noise, normalised targets (count, frames, 2, 384)."""
    sound, wanted = [], []
    for _ in range(count):
        piece, first = draw.integers(len(pieces)), draw.integers(FRAMES - 50 * seconds + 1)
        clip = pieces[piece, first * HOP : first * HOP + seconds * RATE].astype(np.float32) / 32768
        noise = np.std(clip) * 10 ** (-draw.uniform(10, 50) / 20)
        clip = (clip + noise * draw.standard_normal(len(clip), dtype=np.float32)) * 10 ** (
            draw.uniform(-12, 6) / 20
        )
        sound.append(clip)
        place = slice(first, first + 50 * seconds - 1)
        wanted.append((targets[piece, place] - mean[place]) / std)
    return torch.from_numpy(np.stack(sound)), torch.from_numpy(np.stack(wanted))


def predict(student, heads, sound):
    with torch.autocast("cpu", torch.bfloat16):
        states = student(sound, output_hidden_states=True).hidden_states
        return torch.stack([heads[0](states[2]), heads[1](states[4])], dim=2).float()


@torch.inference_mode()
def held_out(student, heads, pieces, targets, mean, std, seconds):
    """R2 of (block 2, output) on the held-out pieces, cut into windows of `seconds`."""
    student.eval()
    error, power = torch.zeros(2), torch.zeros(2)
    for piece, target in zip(pieces[-HELD_OUT:], targets[-HELD_OUT:], strict=True):
        sound = torch.from_numpy(piece.astype(np.float32) / 32768).reshape(-1, seconds * RATE)
        wanted = torch.from_numpy((target - mean) / std)
        wanted = wanted.reshape(len(sound), 50 * seconds, 2, 384)[:, : 50 * seconds - 1]
        predicted = predict(student, heads, sound)
        error += (predicted - wanted).square().sum((0, 1, 3))
        power += wanted.square().sum((0, 1, 3))
    student.train()
    return [round(value, 4) for value in (1 - error / power).tolist()]


def rate(step, steps):
    return RATE_MAX * min(1, (step + 1) / WARM_UP, (steps - step) / (DECAY * steps))


def export(student, output):
    """Weights in half precision, and the extractor's settings (no normalisation: the group norm removes the gain)."""
    from transformers import Wav2Vec2FeatureExtractor

    half = WavLMModel(student.config)
    half.load_state_dict(student.state_dict())
    half.half().save_pretrained(output)
    (output / "model.safetensors").chmod(0o644)
    Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=RATE, padding_value=0.0, do_normalize=False, return_attention_mask=False
    ).save_pretrained(output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("cache", "whisper", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2750)
    parser.add_argument("--threads", type=int, default=2, help="1 is faster on a busy machine")
    arguments = parser.parse_args()
    cache = arguments.cache
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    pieces = student_speech(cache)
    targets, mean, std = teacher_targets(pieces, arguments.whisper, cache)
    student = WavLMModel(student_config()).train()
    heads = nn.ModuleList([nn.Linear(192, 384), nn.Linear(192, 384)])
    parameters = list(student.parameters()) + list(heads.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=RATE_MAX, weight_decay=0.01, betas=(0.9, 0.98))
    checkpoint, log, step = cache / "distil.pt", arguments.output / "training_log.jsonl", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        step = saved["step"]
        (
            student.load_state_dict(saved["student"]),
            heads.load_state_dict(saved["heads"]),
            optimiser.load_state_dict(saved["optimiser"]),
        )
    else:
        arguments.output.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
    started, losses = time.time(), []
    while step < arguments.steps:
        draw = np.random.default_rng(step)
        seconds = int(draw.choice(list(CROPS), p=list(CROPS.values())))
        sound, wanted = crops(
            pieces[:-HELD_OUT], targets, mean, std, seconds, SECONDS_A_STEP // seconds, draw
        )
        for group in optimiser.param_groups:
            group["lr"] = rate(step, arguments.steps)
        loss = (predict(student, heads, sound) - wanted).square().mean((0, 1, 3)).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        losses.append(loss.item())
        step += 1
        if step % 250 == 0 or step == arguments.steps:
            scores = {
                f"r2_{seconds}s": held_out(student, heads, pieces, targets, mean, std, seconds)
                for seconds in (2, 30)
            }
            line = {
                "step": step,
                "loss": round(float(np.mean(losses)), 4),
                "rate": rate(step - 1, arguments.steps),
                "seconds": round(time.time() - started),
            } | scores
            print(line, flush=True)
            with open(log, "a") as file:
                file.write(json.dumps(line) + "\n")
            state = {
                "step": step,
                "student": student.state_dict(),
                "heads": heads.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            torch.save(state, cache / "distil.part")
            (cache / "distil.part").rename(checkpoint)
            export(student, arguments.output)
            losses = []


if __name__ == "__main__":
    main()
