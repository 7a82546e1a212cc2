"""Peak memory and time on a subject of the size of ds003020's UTS03: 84 stories, 95,556 voxels, 3,072 columns.

    python benchmarks/memory.py ridge --stories 21        # a quarter of the TRs
    python benchmarks/memory.py tune --stories 84
    python benchmarks/memory.py steps                     # a few steps of a model of the size of WavLM base+
    MALLOC_MMAP_THRESHOLD_=16777216 python benchmarks/memory.py steps     # the same with less fragmented memory

The files are fake but read like real ones: each story's responses are an HDF5 file whose data lie in one shared file
of noise, each a row further on, and each story's sound is a link to one sound. Prints JSON; `--output` writes it to a
file as well.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import soundfile
import yaml

THRESHOLD = "MALLOC_MMAP_THRESHOLD_"
N_VOXELS, N_TRS, SECONDS, TR = 95_556, 335, 690, 2.0


def fake_subject(
    root: Path, n_stories: int, n_voxels: int = N_VOXELS, n_trs: int = N_TRS, own_sounds: bool = False
) -> Path:
    """A native folder with one subject; the last two stories are for validation and test."""
    seconds = n_trs * TR + SECONDS - N_TRS * TR
    random = np.random.default_rng(0)
    (root / "stimuli").mkdir(parents=True)
    (root / "responses" / "uts").mkdir(parents=True)

    def write_sound(name: str) -> None:
        sound = 0.1 * random.standard_normal(int(seconds * 16000), dtype=np.float32)
        soundfile.write(root / "stimuli" / f"{name}.wav", sound, 16000)

    write_sound("sound")
    raw = root / "noise.f32"
    with raw.open("wb") as file:
        for _ in range(n_trs + n_stories):
            file.write(random.standard_normal(n_voxels, dtype=np.float32).tobytes())
    names = [f"story{number:02d}" for number in range(n_stories)]
    for number, name in enumerate(names):
        with h5py.File(root / "responses" / "uts" / f"{name}.h5", "w") as file:
            shape = (n_trs, n_voxels)
            stretch = (str(raw), number * n_voxels * 4, n_trs * n_voxels * 4)
            file.create_dataset("data", shape, "f4", external=[stretch])
            file["tr_times"] = 10 + TR * np.arange(n_trs)
        if own_sounds:
            write_sound(name)
        else:
            (root / "stimuli" / f"{name}.wav").symlink_to("sound.wav")
    splits = dict.fromkeys(names, "train") | {names[-2]: "validation", names[-1]: "test"}
    description = {
        "format": 1,
        "name": "fake",
        "licence": "CC0",
        "tr": TR,
        "simulated": True,
        "stories": {name: {"audio": f"stimuli/{name}.wav", "split": split} for name, split in splits.items()},
        "subjects": {"uts": {"responses": "responses/uts"}},
    }
    (root / "dataset.yaml").write_text(yaml.safe_dump(description))
    return root


def ridge(folder: Path) -> dict:
    """Ridge on features of 768 dimensions with four delays, all voxels."""
    from brainwavlm.config import load_config
    from brainwavlm.encoding.run_data import run_data
    from brainwavlm.evaluation.encoding_score import score_features
    from brainwavlm.evaluation.scoring_plan import ModelSize, ScoringPlan
    from brainwavlm.speech.features import StoryFeatures

    config = load_config(overrides={"dataset": str(folder), "subject": "uts", "evaluation.shifts": 100})
    plan = ScoringPlan.of(run_data(config), config, ModelSize(n_dims=768, min_samples=400))
    random = np.random.default_rng(1)
    times = np.arange(1.0, SECONDS + 1)
    features = {
        name: StoryFeatures(times, {9: random.standard_normal((len(times), 768)).astype(np.float32)})
        for name in plan.data.recordings
    }
    score = score_features(plan, features)
    return {"rows": score.summary["rows"], "n_voxels": score.summary["n_voxels"]}


def tune(folder: Path) -> dict:
    """One epoch of the embedded speech model, all voxels, coarse windows; and how long its steps waited for data."""
    from brainwavlm.config import load_config
    from brainwavlm.encoding.story_loader import StoryLoader
    from brainwavlm.encoding.tuning import tune as start

    overrides = {
        "dataset": str(folder),
        "subject": "uts",
        "windows.stride": 2.0,
        "training.epochs": 1,
        "training.block_rows": 40,
        "training.frontend_cache_gb": 0.0,
        "training.stories_in_memory": 4,
    }
    waited, hold = [], StoryLoader.hold

    def timed(loader: StoryLoader, stories: list[str]) -> None:
        began = time.perf_counter()
        hold(loader, stories)
        waited.append(time.perf_counter() - began)

    StoryLoader.hold = timed
    run = start(load_config(preset="demo", overrides=overrides), folder / "run")
    times = [event["time"] for event in run.log() if event["event"] == "step"]
    # The first group of an epoch is read while nothing else is to do; the others while steps are taken.
    return {"steps": len(times), "seconds_of_steps": times[-1] - times[0], "seconds_waited": sum(waited[1:])}


def steps(folder: Path) -> dict:
    """A few steps of a WavLM of the size of base+ with random weights, as the preset `recommended` asks."""
    from transformers import WavLMConfig, WavLMModel

    from brainwavlm.config import load_config
    from brainwavlm.encoding.plan import plan

    WavLMModel(WavLMConfig()).save_pretrained(folder / "base-size")
    overrides = {
        "dataset": str(folder),
        "subject": "uts",
        "backbone.name": str(folder / "base-size"),
        "training.block_rows": 10,
        "training.recompute": True,
        "training.frontend_cache_gb": 0.0,
        "training.stories_in_memory": 4,
    }
    made = plan(load_config(preset="recommended", overrides=overrides), calibration_steps=2)
    return {"seconds_per_step": made.seconds_per_step, "windows_per_epoch": made.windows_per_epoch}


def main() -> None:
    """Run one of the three and print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["ridge", "tune", "steps"])
    parser.add_argument("--stories", type=int, default=21)
    parser.add_argument("--voxels", type=int, default=N_VOXELS)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fake_subject(Path(folder) / "fake", arguments.stories, arguments.voxels)
        began = time.perf_counter()
        found = {"ridge": ridge, "tune": tune, "steps": steps}[arguments.what](Path(folder) / "fake")
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    result = {
        "what": f"{arguments.what}, {THRESHOLD} set" if THRESHOLD in os.environ else arguments.what,
        "stories": arguments.stories,
        "voxels": arguments.voxels,
        **found,
        "seconds": round(seconds, 1),
        "peak_gb": round(peak, 2),
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
