"""Vectors of the stories' content words, for probes and controls: all-MiniLM-L6-v2 of each word alone, 24 components.

    python word_vectors.py
writes stimuli/word_vectors.npz into the embedded data set: words, vectors. Components are of these words, each as often
as it is said, not those that the listener network learned; both hold most of the variance of the same embeddings.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from listener import FUNCTION_WORDS, word_vectors

from brainwavlm.stimulus.transcripts import read_transcript
from brainwavlm.stimulus.word_vectors import spoken

STIMULI = Path(__file__).parents[2] / "src/brainwavlm/assets/demo/stimuli"


def main():
    counts = Counter(
        spoken(word.text)
        for path in sorted(STIMULI.glob("*.TextGrid"))
        for word in read_transcript(path).words
    )
    counts = {word: n for word, n in sorted(counts.items()) if word and word not in FUNCTION_WORDS}
    vectors = word_vectors(counts).astype(np.float16)
    np.savez_compressed(STIMULI / "word_vectors.npz", words=np.array(list(counts)), vectors=vectors)


if __name__ == "__main__":
    main()
