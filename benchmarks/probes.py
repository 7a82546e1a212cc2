"""What a probe costs, and whether its shuffled control is at chance. SIMULATED responses.

    python benchmarks/probes.py --output benchmarks/results/probes.json

time: all hidden states of the embedded speech model, six features, on the stories of the embedded data set, the untuned
and the tuned model, without and with all controls (vectors of words are random numbers: they cost what true ones do).
chance: how often the interval of the shuffled score holds 0 (r) and .5 (AUC), over draws of states that hold values.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from brainwavlm import load_config, load_dataset, probe, tune
from brainwavlm.evaluation.probes.question import shuffled
from brainwavlm.evaluation.probes.scores import control_scores, probe_predictions
from brainwavlm.evaluation.probes.tasks import CONTROLS, PLAIN, SHUFFLED, Rows, Task
from brainwavlm.stimulus.features.table import FEATURES
from brainwavlm.stimulus.transcripts import said
from brainwavlm.stimulus.word_vectors import spoken

FITTED, TESTED, UNITS, DIMS = 11, 5, 120, 64


def measured_time(folder: Path, overrides: dict) -> dict[str, float]:
    """Seconds by the clock and of the processor, without and with controls."""
    config = load_config(preset="demo", overrides={"training.epochs": 1, **overrides})
    run = tune(config, folder / "run")
    stories = load_dataset(config.dataset).subject(config.subject).recordings.values()
    words = sorted({spoken(one.text) for recording in stories for one in said(recording.story, "words")})
    vectors = np.random.default_rng(0).standard_normal((len(words), 300)).astype(np.float32)
    np.savez(folder / "vectors.npz", words=np.array(words), vectors=vectors)
    names = ["mel", "phones", "articulation", "words", "word-rate", f"vectors={folder / 'vectors.npz'}"]
    seconds = {}
    for what, controls in (("scores", ()), ("scores and controls", CONTROLS)):
        began = time.perf_counter(), time.process_time()
        table = probe(run, names, "all", controls=controls).table
        ended = time.perf_counter(), time.process_time()
        for clock, (start, end) in zip(("s", "processor s"), zip(began, ended, strict=True), strict=True):
            seconds[f"{what}, {clock}"] = round(end - start, 1)
    return {"hidden states": int(table["layer"].nunique()), "features": len(names), **seconds}


def chance(name: str, score: str, centre: float, draws: int) -> float:
    """Share of draws in which the interval of the shuffled score holds what chance gives."""
    config, feature = load_config(preset="demo"), FEATURES[name]
    stories = [f"s{number:02}" for number in range(FITTED + TESTED)]
    held = 0
    for draw in range(draws):
        random = np.random.default_rng(draw)
        states = {story: random.standard_normal((UNITS, DIMS)).astype(np.float32) for story in stories}
        weights, noise = random.standard_normal((DIMS, 6)), 5.0
        values = {
            story: state @ weights + noise * random.standard_normal((UNITS, 6))
            for story, state in states.items()
        }
        if feature.scale == "labels":
            values = {story: (some > 4).astype(np.float32) for story, some in values.items()}
        fitted, tested = (
            Rows(dict.fromkeys(some, np.arange(UNITS)), np.repeat(some, UNITS), np.zeros(0, str))
            for some in (stories[:FITTED], stories[FITTED:])
        )
        truth = tuple(np.concatenate([values[story] for story in rows.kept]) for rows in (fitted, tested))
        task = Task(feature, tuple("abcdef"), fitted, tested, {PLAIN: truth})
        task.asked[SHUFFLED] = shuffled(task)
        vectors = {story: {0: {feature.unit: state}} for story, state in states.items()}
        models = {"one": probe_predictions([task], vectors, [0], config, [PLAIN, SHUFFLED])}
        scores = control_scores(task, 0, models, [SHUFFLED])
        _, low, high = scores[SHUFFLED, score].estimate(lambda of: of["one"])
        held += low <= centre <= high
    return held / draws


def main() -> None:
    """Print JSON; `--output` writes it to a file as well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=["time", "chance"], choices=["time", "chance"])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    result: dict = {}
    if "chance" in arguments.parts:
        result["chance"] = {
            "r": chance("mfcc", "r", 0.0, arguments.draws),
            "auc": chance("articulation", "auc", 0.5, arguments.draws),
        }
    if "time" in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            result["time"] = measured_time(Path(folder), {})
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
