"""How long `check` takes on a data set of many stories, cold and with what it keeps of sounds, beside another version.

python benchmarks/check.py --against ../earlier/src
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import soundfile

from brainwavlm.datasets.dataset_yaml import Description, StoryEntry, SubjectEntry
from brainwavlm.datasets.folder import write_folder

TR, RATE = 2.0, 16000


def tree(folder: Path, n_stories: int, n_trs: int, n_voxels: int) -> Path:
    """Stories of noise; their responses are stretches of one file, so that the disk holds one of them."""
    random = np.random.default_rng(0)
    names = [f"story{number:02}" for number in range(n_stories)]
    splits = dict(zip(names, ["test", "validation", *["train"] * n_stories], strict=False))
    (folder / "stimuli").mkdir(parents=True)
    for name in names:
        sound = 0.1 * random.standard_normal(int((n_trs * TR + 20) * RATE), dtype=np.float32)
        soundfile.write(folder / f"stimuli/{name}.wav", sound, RATE, subtype="PCM_16")
    with (folder / "noise.f32").open("wb") as file:
        for _ in range(n_trs + n_stories):
            file.write(random.standard_normal(n_voxels, dtype=np.float32).tobytes())
    responses = folder / "responses" / "anna"
    responses.mkdir(parents=True)
    for number, name in enumerate(names):
        stretch = (str(folder.resolve() / "noise.f32"), 4 * number * n_voxels, 4 * n_trs * n_voxels)
        with h5py.File(responses / f"{name}.h5", "w") as file:
            file.create_dataset("data", (n_trs, n_voxels), "f4", external=[stretch])
            file["tr_times"] = 10 + TR * np.arange(n_trs)
    stories = {name: StoryEntry(audio=f"stimuli/{name}.wav", split=split) for name, split in splits.items()}
    subjects = {"anna": SubjectEntry(responses="responses/anna")}
    write_folder(folder, Description(format=1, name="noise", tr=TR, stories=stories, subjects=subjects), {})
    return folder


def seconds(folder: Path, source: Path, home: Path) -> dict[str, float]:
    """Time and processor time of one check in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(source), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "brainwavlm", "check", str(folder)]
    before = os.times()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    spent = [now - then for now, then in zip(os.times(), before, strict=True)]
    return {"s": spent[4], "processor, s": spent[2] + spent[3]}


def main() -> None:
    """Take turns; print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stories", type=int, default=84)
    parser.add_argument("--rows", type=int, default=335)
    parser.add_argument("--voxels", type=int, default=95556)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="folder `src` of another version")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    ours = Path(__file__).parents[1] / "src"
    spent: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = tree(Path(place) / "noise", arguments.stories, arguments.rows, arguments.voxels)
        for number in range(arguments.rounds):
            home = Path(place) / f"home{number}"
            rows = [("other", arguments.against)] if arguments.against else []
            for name, source in [*rows, ("cold", ours), ("warm", ours)]:
                at = home / "other" if name == "other" else home
                spent.setdefault(name, []).append(seconds(folder, source, at))
    result = {
        name: {what: round(statistics.median(one[what] for one in some), 2) for what in some[0]}
        for name, some in spent.items()
    }
    print(json.dumps(result | {"each": spent}, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
