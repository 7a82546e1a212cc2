"""Step 5c. Language sources that low-rank adapters can reach: those of wavlm-tiny-demo after tuning on them.

The ten language sources of the listener network, without noise and without haemodynamics, are the responses of a data
set of their own; `brainwavlm tune` with adapters of rank 8 learns them from the training stories, and ridge on the
tuned features says them again for all stories. Whatever a listener who follows these has that the untuned model lacks,
adapters of that rank have.

    python reachable.py --cache CACHE
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import yaml
from sources import DEMO, SPLITS, TR, split_of

from brainwavlm import load_config, open_run, tune
from brainwavlm.encoding.run_model import tuned_backbone
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.evaluation.scoring_plan import Fit
from brainwavlm.evaluation.statistics.permutation_test import stories_of


def write_dataset(folder, sources):
    """The language sources as the responses of a data set in the native format."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "responses").mkdir(parents=True)
    (folder / "stimuli").symlink_to(DEMO / "stimuli")
    stories = {}
    for story, values in sources.items():
        with h5py.File(folder / "responses" / f"{story}.h5", "w") as file:
            file.attrs["simulated"] = True
            file["data"], file["tr_times"] = values.astype(np.float32), TR * np.arange(len(values))
        stories[story] = {"audio": f"stimuli/{story}.ogg", "split": split_of(story)}
    about = {"format": 1, "name": "sources", "tr": TR, "simulated": True, "stories": stories}
    about["subjects"] = {"sources": {"responses": "responses"}}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(about))


def said_by_tuned_model(folder):
    """Dict of story to (n_trs, n_sources)."""
    config = load_config(
        preset="demo",
        overrides={
            "dataset": str(folder),
            "subject": "sources",
            "alignment.delays": [0],
            "loss": {"spatial": 0.0, "temporal": 1.0},
            "training.epochs": 6,
        },
    )
    run = folder / "run"
    if not (run / "run.json").is_file():
        tune(config, run)
    run, evaluator = open_run(run), Evaluator(None, None)
    plan = evaluator.plan_of(run, config)
    recordings = list(plan.data.recordings.values())
    designs = plan.designs(evaluator.features(tuned_backbone(run), config, recordings, ""))
    # Of every story, those that ridge is fitted on too.
    plan = replace(plan, fits=(Fit(plan.fits[0].fitted, recordings),))
    said = plan.ridge(designs, shared=False).predicted
    return {story: said[rows] for story, rows in stories_of(plan.story_of_row)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    folder = parser.parse_args().cache / "reachable"
    with h5py.File(DEMO / "planted" / "sources.h5", "a") as file:
        if not folder.exists():
            write_dataset(folder, {story: values[...] for story, values in file["language"].items()})
        said = said_by_tuned_model(folder)
        training = np.concatenate([said[story] for story in said if split_of(story) == "train"])
        file.pop("reachable", None)
        for story, values in said.items():
            scaled = (values - training.mean(0)) / training.std(0)
            file[f"reachable/{story}"] = scaled.astype(np.float16)
        for split in ("train", *SPLITS):
            stories = [story for story in said if split_of(story) == split]
            true, made = (
                np.concatenate([where[story] for story in stories])
                for where in (file["language"], file["reachable"])
            )
            r = [
                np.corrcoef(*pair)[0, 1]
                for pair in zip(true.T.astype(float), made.T.astype(float), strict=True)
            ]
            print(f"{split}: r with the listener network's sources {np.mean(r):.3f}")


if __name__ == "__main__":
    main()
