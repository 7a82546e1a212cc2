"""Step 5d. Responses of a simulated cortex to the stories. README.md beside this file has the equations in one place.

    s_k(t)  sources at TRs, kept in planted/sources.h5 (sources.py, reachable.py)
    w_v     weights of voxel v (cortex.py): sqrt(.7) field of all subjects + sqrt(.3) field of its own, smooth
    z_v(t)  = w_v . s_kind(t); mixed voxels: sqrt(a) z_auditory + sqrt(1 - a) z_language
    x_v(t)  = sum_d h_v(d) z_v(t - d), d = 1..6 TRs, zero before the story; h_v peaks earlier or later by place
    n_v(t)  = sqrt(.7) own AR(.3) noise + sqrt(.3) (weights of the place . 4 courses that all voxels share)
    y_v(t)  = c_v x_v(t) + sqrt(1 - c_v^2) n_v(t)

s, z and x are z-scored over the training stories. Silent voxels: c_v = 0. Test stories: four draws of n; `data` is
their mean. Needs no speech model:

    python simulate.py [--output FOLDER]
"""

import argparse
from pathlib import Path

import h5py
import numpy as np
import yaml
from cortex import KINDS, place_voxels, smooth_field
from sources import DEMO, SPLITS, TR, split_of

from brainwavlm.encoding.alignment import delayed

DELAYS, N_REPEATS = (1, 2, 3, 4, 5, 6), 4
# `language`: which sources the language voxels follow; `peak`: of the haemodynamic response, in s.
SUBJECTS = {
    "sim01": {"seed": 101, "peak": 4.6, "language": "language"},
    "sim02": {"seed": 202, "peak": 5.4, "language": "reachable"},
}
LENGTH, SHARED, PEAK_SPREAD = 12.0, 0.7, 0.7
NOISE_AR, NOISE_SHARED, NOISE_COURSES, NOISE_LENGTH = 0.3, 0.3, 4, 40.0
CEILING = {"auditory": (0.45, 0.9), "language": (0.4, 0.9), "mixed": (0.4, 0.9)}
STEP = 1 / 8


def z_scored(series, training):
    """Per voxel over the training stories; dict of story to (n_trs, n_voxels)."""
    pooled = np.concatenate([series[story] for story in training])
    return {story: (values - pooled.mean(0)) / (pooled.std(0) + 1e-12) for story, values in series.items()}


def unit(values, axis):
    return values / np.linalg.norm(values, axis=axis, keepdims=True)


def autoregressive(shape, random_state):
    """AR(1) noise of variance 1 along the first axis: (n_trs, n)."""
    fresh = random_state.standard_normal(shape)
    made = np.empty(shape)
    made[0] = fresh[0]
    for t in range(1, shape[0]):
        made[t] = NOISE_AR * made[t - 1] + np.sqrt(1 - NOISE_AR**2) * fresh[t]
    return made


def noise(n_trs, loadings, random_state):
    """n_v(t) of variance 1; loadings (n_voxels, n_courses) of length 1: (n_trs, n_voxels)."""
    shared = autoregressive((n_trs, loadings.shape[1]), random_state) @ loadings.T
    own = autoregressive((n_trs, len(loadings)), random_state)
    return np.sqrt(NOISE_SHARED) * shared + np.sqrt(1 - NOISE_SHARED) * own


def coarse(values):
    """Rounded to 1/8 (error .036 where the noise is .44 or more), so that the files compress."""
    return (np.round(values / STEP) * STEP).astype(np.float16)


def plant(voxels, settings, n_auditory, n_language):
    """What a subject's voxels follow: weights (n_voxels, n_sources), share of the auditory part (n_voxels,),
    ceiling (n_voxels,), haemodynamic response (n_voxels, n_delays), loadings of shared noise (n_voxels, n_courses).

    h_v(d) ~ (d TR / p_v)^6 exp(6 (1 - d TR / p_v)) of length 1, with its peak at p_v seconds.
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
    peak = settings["peak"] + PEAK_SPREAD * smooth_field(voxels.position, 1, LENGTH, own)
    at = TR * np.array(DELAYS) / peak
    loadings = unit(smooth_field(voxels.position, NOISE_COURSES, NOISE_LENGTH, own), axis=1)
    return (
        weights,
        share,
        low + (high - low) * quantile[:, 1],
        unit(at**6 * np.exp(6 * (1 - at)), 1),
        loadings,
    )


def clean_signal(weights, share, auditory, language, hrf, training):
    """x_v(t): dict of story to (n_trs, n_voxels)."""
    n = next(iter(auditory.values())).shape[1]
    heard = z_scored({story: values @ weights[:, :n].T for story, values in auditory.items()}, training)
    meant = z_scored({story: values @ weights[:, n:].T for story, values in language.items()}, training)
    series = {story: np.sqrt(share) * heard[story] + np.sqrt(1 - share) * meant[story] for story in heard}
    filtered = {}
    for story, values in z_scored(series, training).items():
        rows = delayed(values, DELAYS).reshape(len(values), len(DELAYS), -1)
        filtered[story] = np.einsum("vd,tdv->tv", hrf, rows)
    return z_scored(filtered, training)


def simulate(sources):
    """Everything of every subject, as a dict; nothing is written.

    Parameters
    ----------
    sources : dict of auditory, language and reachable to dict of story to array (n_trs, n_dims)
    """
    training = [story for story in sources["auditory"] if split_of(story) == "train"]
    n_auditory, n_language = (sources[kind][training[0]].shape[1] for kind in ("auditory", "language"))
    subjects = {}
    for subject, settings in SUBJECTS.items():
        language = sources[settings["language"]]
        voxels = place_voxels(settings["seed"])
        weights, share, ceiling, hrf, loadings = plant(voxels, settings, n_auditory, n_language)
        clean = clean_signal(weights, share, sources["auditory"], language, hrf, training)
        random_state = np.random.default_rng(settings["seed"] + 1)
        responses, repeats = {}, {}
        for story, signal in clean.items():
            draws = [
                coarse(
                    ceiling * signal + np.sqrt(1 - ceiling**2) * noise(len(signal), loadings, random_state)
                )
                for _ in range(N_REPEATS if split_of(story) == "test" else 1)
            ]
            responses[story] = np.mean(draws, axis=0, dtype=np.float64).astype(np.float16)
            if len(draws) > 1:
                repeats[story] = np.stack(draws)
        subjects[subject] = {
            "voxels": voxels,
            "weights": weights,
            "share": share,
            "ceiling": ceiling,
            "hrf": hrf,
            "clean": clean,
            "sources": {story: np.hstack([sources["auditory"][story], language[story]]) for story in clean},
            "responses": responses,
            "repeats": repeats,
            "n_auditory": n_auditory,
        }
    return subjects


def write(subjects, demo):
    """The native folder (format 1) and planted/<subject>.h5."""
    packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
    for subject, one in subjects.items():
        voxels = one["voxels"]
        for folder in ("responses/" + subject, "subjects", "planted"):
            (demo / folder).mkdir(parents=True, exist_ok=True)
        for story, values in one["responses"].items():
            with h5py.File(demo / "responses" / subject / f"{story}.h5", "w") as file:
                file.attrs["simulated"] = True
                file.create_dataset("data", data=values, chunks=values.shape, **packed)
                file["tr_times"] = TR * np.arange(len(values))
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
                noise_shared=NOISE_SHARED,
                delays=DELAYS,
                n_auditory=one["n_auditory"],
                n_language=one["weights"].shape[1] - one["n_auditory"],
                language_sources=SUBJECTS[subject]["language"],
            )
            file["kind"], file["ceiling"], file["auditory_share"] = (
                voxels.kind,
                one["ceiling"].astype(np.float32),
                one["share"].astype(np.float32),
            )
            for name in ("weights", "hrf"):
                file.create_dataset(name, data=one[name].astype(np.float16), **packed)
            for story, values in one["sources"].items():
                file.create_dataset(f"sources/{story}", data=values.astype(np.float16), **packed)
            for story in SPLITS["test"]:
                file.create_dataset(f"clean/{story}", data=coarse(one["clean"][story]), **packed)
    stories = sorted(path.stem for path in (DEMO / "stimuli").glob("*.ogg"))
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
            for story in stories
        },
        "subjects": {
            subject: {"responses": f"responses/{subject}", "anatomy": f"subjects/{subject}.h5"}
            for subject in subjects
        },
    }
    (demo / "dataset.yaml").write_text(yaml.safe_dump(description, sort_keys=False, width=120))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=DEMO, help="demo folder to write")
    output = parser.parse_args().output
    with h5py.File(DEMO / "planted" / "sources.h5") as file:
        sources = {
            kind: {story: values[...].astype(np.float64) for story, values in group.items()}
            for kind, group in file.items()
        }
    subjects = simulate(sources)
    write(subjects, output)
    for subject, one in subjects.items():
        counts = {name: int((one["voxels"].kind == i).sum()) for i, name in enumerate(KINDS)}
        print(subject, counts, f"{sum(map(len, one['responses'].values()))} rows")


if __name__ == "__main__":
    main()
