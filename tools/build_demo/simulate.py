"""Step 5c. Responses of a simulated cortex to the stories. README.md beside this file has the equations in one place.

    s_k(t)  sources at TRs (sources.py): Lanczos from half-second rows to t = 0, 2, 4 ... s
    w_v     weights of voxel v (cortex.py): sqrt(.7) field of all subjects + sqrt(.3) field of its own, smooth
    z_v(t)  = w_v . s_kind(t); mixed voxels: sqrt(a) z_auditory + sqrt(1 - a) z_language
    x_v(t)  = sum_d h_d z_v(t - d), d = 1..4 TRs, zero before the story
    y_v(t)  = c_v x_v(t) + sqrt(1 - c_v^2) n_v(t),   n_v(t) = 0.3 n_v(t - 1) + sqrt(1 - 0.09) e_v(t)

s, z and x are z-scored over the training stories. Silent voxels: c_v = 0. Test stories: five draws of n; `data` is
their mean.

    python simulate.py --cache CACHE --student MODEL [--kind teacher --whisper FOLDER] [--output DEMO_FOLDER]
"""

import argparse
import pickle
from pathlib import Path

import h5py
import numpy as np
import soundfile
import yaml
from cortex import KINDS, place_voxels, smooth_field
from sources import RATE, components, raw_sources

from brainwavlm.encoding.alignment import delayed, lanczos_matrix

DEMO = Path(__file__).parents[2] / "src/brainwavlm/assets/demo"
TR, DELAYS, N_REPEATS = 2.0, (1, 2, 3, 4), 5
SUBJECTS = {
    "sim01": {"seed": 101, "hrf": (0.35, 1.0, 0.75, 0.25)},
    "sim02": {"seed": 202, "hrf": (0.15, 0.85, 1.0, 0.45)},
}
SPLITS = {"validation": ("chess", "garden"), "test": ("flood", "museum", "rescue")}
N_SPECTRUM, N_EARLY, N_DEEP = 6, 6, 10
LENGTH, SHARED, NOISE_AR = 12.0, 0.7, 0.3
CEILING = {"auditory": (0.45, 0.9), "language": (0.4, 0.9), "mixed": (0.4, 0.9)}
STEP = 1 / 16


def split_of(story):
    return next((split for split, names in SPLITS.items() if story in names), "train")


def tr_times(duration):
    """Volumes that start at 0, 2, 4 ... s and end with the sound or before."""
    return TR * np.arange(int(duration // TR), dtype=np.float64)


def sources_at_trs(raw, times, training, kind):
    """(auditory, language): dicts of story to (n_trs, n_dims), z-scored over the training stories."""

    def pieces(name, n, whiten):
        return components({story: values[name] for story, values in raw.items()}, training, n, whiten)

    spectrum, early = pieces("spectrum", N_SPECTRUM, True), pieces("early", N_EARLY, True)
    deep = pieces("deep" if kind == "listener" else "teacher", N_DEEP, kind != "listener")
    sampled = []
    for part in ({story: np.hstack([spectrum[story], early[story]]) for story in raw}, deep):
        at_trs = {story: lanczos_matrix(raw[story]["ends"], times[story]) @ part[story] for story in raw}
        pooled = np.concatenate([at_trs[story] for story in training])
        sampled.append({story: (values - pooled.mean(0)) / pooled.std(0) for story, values in at_trs.items()})
    return tuple(sampled)


def z_scored(series, training):
    """Per voxel over the training stories; dict of story to (n_trs, n_voxels)."""
    pooled = np.concatenate([series[story] for story in training])
    return {story: (values - pooled.mean(0)) / (pooled.std(0) + 1e-12) for story, values in series.items()}


def noise(shape, random_state):
    """AR(1) noise of variance 1 along the first axis: (n_trs, n_voxels)."""
    fresh = random_state.standard_normal(shape)
    made = np.empty(shape)
    made[0] = fresh[0]
    for t in range(1, shape[0]):
        made[t] = NOISE_AR * made[t - 1] + np.sqrt(1 - NOISE_AR**2) * fresh[t]
    return made


def coarse(values):
    """Rounded to 1/16 (error .018 where the noise is .44 or more), so that the files compress."""
    return (np.round(values / STEP) * STEP).astype(np.float16)


def plant(voxels, settings, n_auditory, n_language):
    """What a subject's voxels follow: weights (n_voxels, n_sources), share of the auditory part (n_voxels,),
    ceiling (n_voxels,).
    """
    shared, own = np.random.default_rng(7), np.random.default_rng(settings["seed"])
    n_sources = n_auditory + n_language
    weights = np.sqrt(SHARED) * smooth_field(voxels.position, n_sources, LENGTH, shared) + np.sqrt(
        1 - SHARED
    ) * smooth_field(voxels.position, n_sources, LENGTH, own)
    quantile = (1 + np.clip(smooth_field(voxels.position, 2, LENGTH, own) / 2, -1, 1)) / 2
    names = np.array(KINDS)[voxels.kind]
    share = np.select([names == "auditory", names == "mixed"], [1.0, 0.2 + 0.6 * quantile[:, 0]], 0.0)
    weights[:, :n_auditory] *= (share > 0)[:, None]
    weights[:, n_auditory:] *= ((share < 1) & (names != "silent"))[:, None]
    low, high = (np.array([CEILING.get(name, (0.0, 0.0))[i] for name in names]) for i in (0, 1))
    return weights, share, low + (high - low) * quantile[:, 1]


def clean_signal(weights, share, auditory, language, hrf, training):
    """x_v(t): dict of story to (n_trs, n_voxels)."""
    n = next(iter(auditory.values())).shape[1]
    heard = z_scored({story: values @ weights[:, :n].T for story, values in auditory.items()}, training)
    meant = z_scored({story: values @ weights[:, n:].T for story, values in language.items()}, training)
    series = {story: np.sqrt(share) * heard[story] + np.sqrt(1 - share) * meant[story] for story in heard}
    kernel = np.asarray(hrf) / np.linalg.norm(hrf)
    filtered = {}
    for story, values in z_scored(series, training).items():
        rows = delayed(values, DELAYS).reshape(len(values), len(DELAYS), -1)
        filtered[story] = np.einsum("d,tdv->tv", kernel, rows)
    return z_scored(filtered, training)


def simulate(raw, stories, kind):
    """Everything of every subject, as a dict; nothing is written.

    Parameters
    ----------
    raw : what `raw_sources` returns
    stories : dict of story to sound file
    kind : "listener" or "teacher"
    """
    training = [story for story in stories if split_of(story) == "train"]
    times = {story: tr_times(soundfile.info(path).frames / RATE) for story, path in stories.items()}
    auditory, language = sources_at_trs(raw, times, training, kind)
    subjects = {}
    for subject, settings in SUBJECTS.items():
        voxels = place_voxels(settings["seed"])
        weights, share, ceiling = plant(voxels, settings, N_SPECTRUM + N_EARLY, N_DEEP)
        clean = clean_signal(weights, share, auditory, language, settings["hrf"], training)
        random_state = np.random.default_rng(settings["seed"] + 1)
        responses, repeats = {}, {}
        for story, signal in clean.items():
            draws = [
                ceiling * signal + np.sqrt(1 - ceiling**2) * noise(signal.shape, random_state)
                for _ in range(N_REPEATS if split_of(story) == "test" else 1)
            ]
            responses[story] = coarse(np.mean(draws, axis=0))
            if split_of(story) == "test":
                repeats[story] = coarse(np.stack(draws))
                responses[story] = repeats[story].astype(np.float64).mean(0).astype(np.float16)
        subjects[subject] = {
            "voxels": voxels,
            "weights": weights,
            "share": share,
            "ceiling": ceiling,
            "clean": clean,
            "responses": responses,
            "repeats": repeats,
            "hrf": settings["hrf"],
        }
    return {
        "subjects": subjects,
        "times": times,
        "stories": stories,
        "auditory": auditory,
        "language": language,
    }


def write(made, demo):
    """The native folder (format 1) and planted/<subject>.h5."""
    packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
    for subject, one in made["subjects"].items():
        voxels = one["voxels"]
        for folder in ("responses/" + subject, "subjects", "planted"):
            (demo / folder).mkdir(parents=True, exist_ok=True)
        for story, values in one["responses"].items():
            with h5py.File(demo / "responses" / subject / f"{story}.h5", "w") as file:
                file.attrs["simulated"] = True
                file.create_dataset("data", data=values, chunks=values.shape, **packed)
                file["tr_times"] = made["times"][story]
                if story in one["repeats"]:
                    file.create_dataset("individual_repeats", data=one["repeats"][story], **packed)
        with h5py.File(demo / "subjects" / f"{subject}.h5", "w") as file:
            file.attrs.update(
                simulated=True,
                surface="fsaverage5",
                vertex_numbering="index within the mesh of the voxel's own hemisphere, 0 to 10241",
            )
            file["hemisphere"], file["vertex"] = voxels.hemisphere, voxels.vertex
            for roi in ("AC", "language", "mixed", "silent"):
                file[f"rois/{roi}"] = voxels.roi == roi
        with h5py.File(demo / "planted" / f"{subject}.h5", "w") as file:
            file.attrs.update(
                simulated=True,
                kinds=list(KINDS),
                noise_ar=NOISE_AR,
                delays=DELAYS,
                n_auditory=N_SPECTRUM + N_EARLY,
                n_language=N_DEEP,
            )
            file["kind"], file["ceiling"], file["auditory_share"] = (
                voxels.kind,
                one["ceiling"].astype(np.float32),
                one["share"].astype(np.float32),
            )
            file["hrf"] = np.asarray(one["hrf"]) / np.linalg.norm(one["hrf"])
            file.create_dataset("weights", data=one["weights"].astype(np.float16), **packed)
            for story in made["stories"]:
                sources = np.hstack([made["auditory"][story], made["language"][story]])
                file.create_dataset(f"sources/{story}", data=sources.astype(np.float16), **packed)
            for story in SPLITS["test"]:
                file.create_dataset(f"clean/{story}", data=coarse(one["clean"][story]), **packed)
    description = {
        "format": 1,
        "name": "demo",
        "licence": "MIT",
        "citation": "The embedded data set of brainwavlm: stories and simulated responses made by "
        "tools/build_demo. Cite this software.",
        "note": "SIMULATED responses at fsaverage5 vertices; no person was scanned. How they were made: "
        "tools/build_demo/README.md; what was planted: planted/.",
        "tr": TR,
        "simulated": True,
        "stories": {
            story: {
                "audio": f"stimuli/{story}.ogg",
                "transcript": f"stimuli/{story}.TextGrid",
                "split": split_of(story),
            }
            for story in made["stories"]
        },
        "subjects": {
            subject: {"responses": f"responses/{subject}", "anatomy": f"subjects/{subject}.h5"}
            for subject in made["subjects"]
        },
    }
    (demo / "dataset.yaml").write_text(yaml.safe_dump(description, sort_keys=False, width=120))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, help="only for --kind teacher")
    parser.add_argument("--kind", choices=("listener", "teacher"), default="listener")
    parser.add_argument(
        "--output",
        type=Path,
        help="demo folder to write; without it the arrays go to CACHE/simulated_<kind>.pkl for a look",
    )
    arguments = parser.parse_args()
    stories = {path.stem: path for path in sorted((DEMO / "stimuli").glob("*.ogg"))}
    raw = raw_sources(
        stories,
        arguments.student,
        arguments.cache / "listener",
        arguments.whisper if arguments.kind == "teacher" else None,
    )
    made = simulate(raw, stories, arguments.kind)
    if arguments.output:
        write(made, arguments.output)
    else:
        (arguments.cache / f"simulated_{arguments.kind}.pkl").write_bytes(pickle.dumps(made))
    for subject, one in made["subjects"].items():
        counts = {name: int((one["voxels"].kind == i).sum()) for i, name in enumerate(KINDS)}
        print(subject, counts, f"{sum(map(len, one['responses'].values()))} rows")


if __name__ == "__main__":
    main()
