"""Peak memory and processor time of `predict` on sounds of 1 and of 10 hours: memory must not grow, and time be linear.

    python benchmarks/predict.py --output benchmarks/results/predict.json
    python benchmarks/predict.py --hours 0.1 1            # in minutes

Noise at 16 kHz, a WavLM of 4 blocks and 32 dimensions with random weights, windows of 2 s every second, 1,000 voxels;
each length in a process of its own, one thread. Prints JSON; `--output` writes it to a file as well.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

N_VOXELS, TR, RATE = 1000, 2.0, 16000


def write_sound(path: Path, hours: float) -> None:
    """Noise of so many hours, the same minute again and again."""
    minute = 0.1 * np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(round(60 * hours)):
            file.write(minute)


def predict(folder: Path, hours: float) -> dict[str, float]:
    """Predict one sound in this process, and say what it took."""
    import torch
    from transformers import WavLMConfig, WavLMModel

    from brainwavlm.config import AlignmentConfig, WindowConfig
    from brainwavlm.models.brain_model import BrainModel, SubjectModel
    from brainwavlm.models.prediction_files import predict_files
    from brainwavlm.speech.backbones import load_backbone

    conv = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "num_hidden_layers": 4}
    WavLMModel(WavLMConfig(**sizes, **conv)).save_pretrained(folder / "model")
    backbone, alignment = load_backbone(folder / "model", 3), AlignmentConfig()
    backbone.memory_gb = 0.1
    weights = (
        np.random.default_rng(0).standard_normal((32 * len(alignment.delays), N_VOXELS)).astype(np.float32)
    )
    columns = np.arange(N_VOXELS)
    readout = torch.nn.Identity()
    subject = SubjectModel("s", TR, N_VOXELS, columns, weights, np.ones(N_VOXELS), columns[:0], readout)
    windows = WindowConfig(context=2.0, stride=1.0, frame="mean")
    model = BrainModel("tiny", backbone, 3, windows, alignment, False, {"s": lambda: subject}, False)
    began = time.process_time()
    predict_files(model, [folder / "sound.wav"], folder / "out.h5")
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"hours": hours, "seconds": round(seconds, 1), "peak_mb": round(peak)}


def main() -> None:
    """Print what each length took, and the ratios of the longest to the shortest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--in-folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.in_folder:
        print(json.dumps(predict(arguments.in_folder, arguments.hours[0])))
        return
    rows = []
    for hours in arguments.hours:
        with tempfile.TemporaryDirectory() as folder:
            write_sound(Path(folder) / "sound.wav", hours)
            command = [sys.executable, __file__, "--hours", str(hours), "--in-folder", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(rows[-1]), flush=True)
    first, last = rows[0], rows[-1]
    result = {
        "sounds": rows,
        "peak_ratio": round(last["peak_mb"] / first["peak_mb"], 3),
        "seconds_an_hour_ratio": round(
            last["seconds"] / last["hours"] / (first["seconds"] / first["hours"]), 3
        ),
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
