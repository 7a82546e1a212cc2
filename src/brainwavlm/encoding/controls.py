"""Controls: responses that keep what recordings are like and lose what they say about the sound.

Each takes the responses of one story, z-scored over its rows, and gives as many rows and voxels back. All voxels are
treated alike, so that their correlation with each other stays. A voxel with a NaN stays NaN and touches no other.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from brainwavlm.encoding.alignment import zscored
from brainwavlm.encoding.blocks import cut_blocks


def story_generator(seed: int, story: str) -> np.random.Generator:
    """The random numbers of one story under one seed: the same in every epoch and after a resume."""
    return np.random.default_rng([seed, zlib.crc32(story.encode())])


def shifted(responses: np.ndarray, least: int, generator: np.random.Generator) -> np.ndarray:
    """control[t] = responses[(t - k) mod n_trs], with one random k for all voxels.

    k is uniform over all offsets whose distance around the circle, min(k, n_trs - k), is at least
    min(least, n_trs // 4), and never 0: half of all offsets are left in a story however short it is.

    Parameters
    ----------
    responses : array (n_trs, n_voxels)
    least : int
        TRs.
    generator : Generator
    """
    n_trs = len(responses)
    nearest = max(min(least, n_trs // 4), 1)
    return np.roll(responses, int(generator.integers(nearest, n_trs - nearest + 1)), axis=0)


def block_permuted(responses: np.ndarray, block_rows: int, generator: np.random.Generator) -> np.ndarray:
    """Control = blocks[p(0)], blocks[p(1)], ... with p a random order that leaves no block in its place.

    Blocks are consecutive rows; a tail shorter than half a block joins the one before it. So every row moves by half a
    block or more.

    Parameters
    ----------
    responses : array (n_trs, n_voxels)
    block_rows : int
        TRs; no more than two thirds of the story, so that there are two blocks.
    generator : Generator
    """
    blocks = cut_blocks("", len(responses), block_rows)
    order = derangement(len(blocks), generator)
    return np.concatenate([responses[blocks[k].start : blocks[k].stop] for k in order])


def phase_randomised(responses: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """control[:, v] = irfft(rfft(responses[:, v]) * exp(i phase)), z-scored, with one random phase a frequency.

    The phases are uniform and shared by all voxels: each voxel keeps its power spectrum, each pair of voxels its cross
    spectrum and covariance. The mean and, for even n_trs, the highest frequency keep their phase, which must be real.

    Parameters
    ----------
    responses : array (n_trs, n_voxels)
    generator : Generator

    References
    ----------
    Prichard & Theiler 1994, Physical Review Letters 73, 951: surrogates with all cross spectra.
    """
    n_trs = len(responses)
    spectrum = np.fft.rfft(responses, axis=0)
    phase = generator.uniform(0, 2 * np.pi, len(spectrum))
    phase[0] = 0.0
    if n_trs % 2 == 0:
        phase[-1] = 0.0
    turned = spectrum * np.exp(1j * phase)[:, None].astype(spectrum.dtype)
    return zscored(np.fft.irfft(turned, n_trs, axis=0))


def wrapped(responses: np.ndarray, n_trs: int) -> np.ndarray:
    """control[t] = responses[t mod n_other], z-scored over its n_trs rows: another story's, cut or begun again.

    Parameters
    ----------
    responses : array (n_other, n_voxels)
    n_trs : int
    """
    return zscored(responses[np.arange(n_trs) % len(responses)])


def spectrum_matched(targets: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """control[:, v] = irfft(|rfft(responses[:, v])| * T / |T|) with T = rfft(targets[:, v]), z-scored.

    The power of the response at each frequency, the timing of the target. Where |T| is 0 its phase counts as 0.

    Parameters
    ----------
    targets, responses : arrays (n_trs, n_voxels)
    """
    spectrum = np.fft.rfft(targets, axis=0)
    size = np.abs(spectrum)
    unit = np.where(size > 0, spectrum / np.where(size > 0, size, 1.0), 1.0)
    return zscored(np.fft.irfft(np.abs(np.fft.rfft(responses, axis=0)) * unit, len(targets), axis=0))


def exchanged(train: Sequence[str], validation: Sequence[str], seed: int) -> dict[str, str]:
    """Whose responses each story gets: those of another story of its split, no story's twice.

    A lone validation story gets those of a training story.

    Parameters
    ----------
    train : sequence of str
        Two stories or more.
    validation : sequence of str
    seed : int
    """
    generator = story_generator(seed, "other-story")
    pairs: dict[str, str] = {}
    for stories in (sorted(train), sorted(validation)):
        if len(stories) > 1:
            pairs |= {
                story: stories[k]
                for story, k in zip(stories, derangement(len(stories), generator), strict=True)
            }
    for story in validation:
        pairs.setdefault(story, sorted(train)[int(generator.integers(len(train)))])
    return pairs


def derangement(n: int, generator: np.random.Generator) -> np.ndarray:
    """A random order of 0 .. n - 1 that leaves none in its place, all such orders equally likely; n >= 2."""
    if n < 2:
        raise ValueError(f"no order of {n} moves every one of them")
    while True:  # about one order in e = 2.7 is one
        order = generator.permutation(n)
        if (order != np.arange(n)).all():
            return order
