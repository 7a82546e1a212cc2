"""Step 2. Speak the corpus with flite and note when each word is said.

Each passage is spoken by one voice of flite (Debian package libflite1; voices slt, rms, awb, kal16):
    duration_stretch ~ U(0.8, 1.25),   int_f0_target_mean = voice's mean x U(0.85, 1.2),
    gain ~ U(-9, 0) dB,                pause after a sentence ~ U(0.1, 0.5) s
The library is called through ctypes, a sentence at a time, because the command line does not tell when words end.
Noise is added in training (distil.py), so that the teacher hears clean speech.

    python synthesise.py --cache CACHE
writes CACHE/speech.i16, 16 kHz mono, all passages one after the other, and CACHE/speech.jsonl, a line a passage:
part, voice, start and stop in samples, words [[word, onset, offset] in s from start].
"""

import argparse
import ctypes
import json
import random
from multiprocessing import Pool
from pathlib import Path

import numpy as np

RATE = 16000
# How to reach each voice, its mean pitch in Hz, and how often it speaks: kal16 (diphones) is there for variety only.
VOICES = {
    "slt": ("cmu_us_slt", 170.0, 0.31),
    "rms": ("cmu_us_rms", 95.0, 0.31),
    "awb": ("cmu_us_awb", 115.0, 0.31),
    "kal16": ("cmu_us_kal16", 100.0, 0.07),
}


class _Wave(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("n_samples", ctypes.c_int),
        ("n_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


class Flite:
    """The few functions of libflite that are needed, with their C types."""

    def __init__(self):
        self.library = library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for dependency in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            ctypes.CDLL(dependency, mode=ctypes.RTLD_GLOBAL)
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        for name, result, arguments in (
            ("flite_synth_text", pointer, [text, pointer]),
            ("utt_wave", ctypes.POINTER(_Wave), [pointer]),
            ("utt_relation", pointer, [pointer, text]),
            ("relation_head", pointer, [pointer]),
            ("item_next", pointer, [pointer]),
            ("ffeature_float", ctypes.c_float, [pointer, text]),
            ("ffeature_string", text, [pointer, text]),
            ("delete_utterance", None, [pointer]),
            ("feat_set_float", None, [pointer, text, ctypes.c_float]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        library.flite_init()
        self.voices = {}
        for voice, (symbol, _, _) in VOICES.items():
            register = getattr(ctypes.CDLL(f"libflite_{symbol}.so.1"), f"register_{symbol}")
            register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            self.voices[voice] = register(None)

    def speak(self, sentence, voice, stretch, pitch):
        """Samples (n,) int16 at 16 kHz, and [word, onset, offset] in s."""
        library, handle = self.library, self.voices[voice]
        features = _Voice.from_address(handle).features
        library.feat_set_float(features, b"duration_stretch", stretch)
        library.feat_set_float(features, b"int_f0_target_mean", pitch)
        utterance = library.flite_synth_text(sentence.encode(), handle)
        wave = library.utt_wave(utterance).contents
        if wave.rate != RATE:
            raise ValueError(
                f"flite voice {voice} speaks at {wave.rate} Hz, expected {RATE}: install Debian's libflite1."
            )
        samples = np.ctypeslib.as_array(wave.samples, (wave.n_samples,)).copy()
        words, item = [], library.relation_head(library.utt_relation(utterance, b"Word"))
        while item:
            word = library.ffeature_string(item, b"name").decode()
            # The end of the segment before the word's first one, and the end of its last one.
            onset = library.ffeature_float(item, b"R:SylStructure.daughter1.daughter1.R:Segment.p.end")
            offset = library.ffeature_float(item, b"R:SylStructure.daughtern.daughtern.R:Segment.end")
            words.append([word, round(float(onset), 3), round(float(offset), 3)])
            item = library.item_next(item)
        library.delete_utterance(utterance)
        return samples, words


def spoken(task):
    """One passage: samples (n,) int16 and its line of speech.jsonl without start and stop."""
    global _flite
    number, passage = task
    if "_flite" not in globals():
        _flite = Flite()
    draw = random.Random(number)
    voice = draw.choices(list(VOICES), [share for _, _, share in VOICES.values()])[0]
    stretch, pitch, gain = (
        draw.uniform(0.8, 1.25),
        VOICES[voice][1] * draw.uniform(0.85, 1.2),
        10 ** (draw.uniform(-9, 0) / 20),
    )
    pieces, words, position = [], [], 0
    for sentence in passage["sentences"]:
        samples, timed = _flite.speak(sentence, voice, stretch, pitch)
        words += [
            [word, round(onset + position / RATE, 3), round(offset + position / RATE, 3)]
            for word, onset, offset in timed
        ]
        pieces += [samples, np.zeros(int(RATE * draw.uniform(0.1, 0.5)), np.int16)]
        position += sum(map(len, pieces[-2:]))
    sound = np.concatenate(pieces) * (gain * min(1.0, 30000 / max(1, np.abs(np.concatenate(pieces)).max())))
    return sound.astype(np.int16), {"part": passage["part"], "voice": voice, "words": words}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    passages = [json.loads(line) for line in (arguments.cache / "corpus.jsonl").read_text().splitlines()]
    position, seconds = 0, {}
    with (
        Pool(arguments.processes) as pool,
        open(arguments.cache / "speech.i16.part", "wb") as sound_file,
        open(arguments.cache / "speech.jsonl", "w") as index,
    ):
        for samples, line in pool.imap(spoken, enumerate(passages), chunksize=4):
            sound_file.write(samples.tobytes())
            index.write(json.dumps(line | {"start": position, "stop": position + len(samples)}) + "\n")
            position += len(samples)
            seconds[line["part"]] = seconds.get(line["part"], 0) + len(samples) / RATE
    (arguments.cache / "speech.i16.part").rename(arguments.cache / "speech.i16")
    print({part: f"{total / 3600:.2f} h" for part, total in seconds.items()})


if __name__ == "__main__":
    main()
