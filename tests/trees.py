"""Builders of small data sets with true names and formats: a copy of ds003020, and a native folder."""

import json
from pathlib import Path

import h5py
import nibabel
import numpy as np
import soundfile

from brainwavlm.datasets.dataset_yaml import Description
from brainwavlm.datasets.folder import FolderDataset, Responses, write_folder
from brainwavlm.stimulus.textgrid import Interval
from brainwavlm.stimulus.transcripts import Transcript
from tests.brains import write_small_anatomy

STORIES = ("alternateithicatom", "souls", "stagefright", "fromboyhoodtofatherhood", "wheretheressmoke")
N_VOXELS = 30


def ds003020_tree(
    root: Path,
    subjects: tuple[str, ...] = ("UTS03", "UTS09"),
    stories: tuple[str, ...] = STORIES,
    volumes: int = 25,
    n_voxels: int = N_VOXELS,
    derivative: str = "derivative",
) -> Path:
    """A copy of ds003020 in which each story has so many volumes, as published but for the sizes.

    UTS09 lacks fromboyhoodtofatherhood, as it does there. Every second story is stereo.
    """
    derived = root / derivative
    for folder in ("TextGrids", "preprocessed_data"):
        (derived / folder).mkdir(parents=True, exist_ok=True)
    (root / "stimuli").mkdir(exist_ok=True)
    seconds = 2 * volumes - 19.0  # the published sounds last 18.0 to 20.3 s less than their volumes
    for number, story in enumerate(stories):
        write_sound(root / "stimuli" / f"{story}.wav", seconds, seed=number, channels=1 + number % 2)
        write_textgrid(derived / "TextGrids" / f"{story}.TextGrid", seconds)
    (derived / "respdict.json").write_text(json.dumps(dict.fromkeys(stories, volumes)))
    for listener, subject in enumerate(subjects):
        for number, story in enumerate(stories):
            if (subject, story) == ("UTS09", "fromboyhoodtofatherhood"):
                continue
            data = responses(volumes - 20, n_voxels, seed=number + 100 * listener)
            path = derived / "preprocessed_data" / subject / f"{story}.hf5"
            path.parent.mkdir(exist_ok=True)
            with h5py.File(path, "w") as file:
                file["data"] = data
                if story == "wheretheressmoke":
                    file["individual_repeats"] = repeats_of(data, 5, seed=99)
        mask = write_mask_thick(derived, subject, n_voxels)
        # As published, UTS09 has no FreeSurfer folder.
        write_small_anatomy(derived, subject, np.asarray(nibabel.load(mask).dataobj), subject != "UTS09")
    return root


def native_tree(
    root: Path,
    subjects: tuple[str, ...] = ("anna", "ben"),
    splits: dict[str, str] | None = None,
    n_trs: int = 12,
    n_voxels: int = N_VOXELS,
    seconds: float = 30.0,
    tr: float = 2.0,
) -> FolderDataset:
    """A native folder: by default two training stories, one validation and one test story with repeats."""
    splits = splits or {"dog": "train", "ferry": "train", "garden": "validation", "market": "test"}
    for number, story in enumerate(splits):
        write_sound(root / "stimuli" / f"{story}.wav", seconds, rate=16000, seed=number)
        write_textgrid(root / "stimuli" / f"{story}.TextGrid", seconds)

    def story(name, split):
        return {"audio": f"stimuli/{name}.wav", "transcript": f"stimuli/{name}.TextGrid", "split": split}

    def heard(split, seed, noise_seed):
        data = responses(n_trs, n_voxels, seed)
        repeats = repeats_of(data, 3, noise_seed) if split == "test" else None
        return Responses(data.astype(np.float32), tr_times=4.0 + tr * np.arange(n_trs), repeats=repeats)

    description = Description(
        stories={name: story(name, split) for name, split in splits.items()},
        subjects={
            name: {"responses": f"responses/{name}", "anatomy": f"subjects/{name}.h5"} for name in subjects
        },
        format=1,
        name="native",
        licence="CC0",
        tr=tr,
    )
    anatomy = {
        "hemisphere": np.arange(n_voxels) >= n_voxels // 2,
        "rois": {"AC": np.arange(n_voxels) % 3 == 0},
        "ceiling": np.linspace(0, 0.9, n_voxels),
        "surface": "fsaverage5",
        "vertex": np.arange(n_voxels),
        "position": np.linspace([-80, 0, np.nan], 80, n_voxels),
    }
    all_heard = {
        subject: {
            name: heard(split, number + 100 * listener, number + 50)
            for number, (name, split) in enumerate(splits.items())
        }
        for listener, subject in enumerate(subjects)
    }
    return write_folder(root, description, all_heard, anatomy=dict.fromkeys(subjects, anatomy))


def responses(n_trs: int, n_voxels: int, seed: int) -> np.ndarray:
    """Noise (n_trs, n_voxels) float64."""
    return np.random.default_rng(seed).standard_normal((n_trs, n_voxels))


def repeats_of(data: np.ndarray, n_repeats: int, seed: int) -> np.ndarray:
    """Presentations with noise of their own, (n_repeats, n_trs, n_voxels), whose mean the data are."""
    noise = responses(n_repeats * len(data), data.shape[1], seed).reshape(n_repeats, *data.shape)
    return data + noise - noise.mean(0)


def write_sound(path: Path, seconds: float, rate: int = 44100, channels: int = 1, seed: int = 0) -> None:
    """Noise whose loudness changes four times a second, 16 bit."""
    random = np.random.default_rng(seed)
    n_samples = round(seconds * rate)
    loudness = np.interp(
        np.arange(n_samples) / rate,
        np.arange(0, seconds + 1, 0.25)[: 4 * int(seconds) + 4],
        random.uniform(0.02, 0.2, 4 * int(seconds) + 4),
    )
    sound = loudness * random.uniform(-1, 1, n_samples).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.tile(sound[:, None], (1, channels)), rate, subtype="PCM_16")


def long_form(end, **tiers):
    """A TextGrid: tiers by name, each a list of (start, end, text), or of (time, text); numbers as they are given."""
    lines = ['File type = "ooTextFile"\nObject class = "TextGrid"\n', "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, entries) in enumerate(tiers.items(), 1):
        kind, size = (
            ("TextTier", "points") if entries and len(entries[0]) == 2 else ("IntervalTier", "intervals")
        )
        lines += [f"    item [{number}]:", f'        class = "{kind}"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end}", f"        {size}: size = {len(entries)}"]
        for place, (*times, text) in enumerate(entries, 1):
            keys = ("number",) if size == "points" else ("xmin", "xmax")
            lines.append(f"        {size} [{place}]:")
            lines += [f"            {key} = {time}" for key, time in zip(keys, times, strict=True)]
            lines.append(f'            text = "{text}"')
    return "\n".join(lines) + "\n"


def write_transcript(path: str | Path, transcript: Transcript, seconds: float) -> None:
    """A TextGrid in the long form, tiers `phone` and `word`."""
    tiers = {
        name: [(one.start, one.end, one.text.replace('"', '""')) for one in some]
        for name, some in (("phone", transcript.phones), ("word", transcript.words))
    }
    Path(path).write_bytes(
        long_form(seconds, **tiers).encode()
    )  # ends of lines within labels stay as they are


def write_textgrid(path: Path, seconds: float) -> None:
    """Words of half a second, two phones each, with pauses between."""
    said = {"the": ("DH", "AH0"), "dog": ("D", "AO1")}
    starts = np.arange(1.0, seconds - 1, 1.0).tolist()
    words = [Interval(start, start + 0.5, "the" if k % 2 else "dog") for k, start in enumerate(starts)]
    phones = [
        Interval(word.start + 0.25 * k, word.start + 0.25 * (k + 1), phone)
        for word in words
        for k, phone in enumerate(said[word.text])
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_transcript(path, Transcript(phones, words), seconds)


def write_mask_thick(derived: Path, subject: str, n_voxels: int) -> Path:
    """A volume (54, 84, 84) with so many voxels above zero."""
    mask = np.zeros((84, 84, 54), dtype=np.uint8)
    mask.ravel()[: 7 * n_voxels : 7] = 1
    path = derived / "pycortex-db" / subject / "transforms" / f"{subject}_auto" / "mask_thick.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), path)
    return path
