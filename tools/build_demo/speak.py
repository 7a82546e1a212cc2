"""Speaks the embedded demo's stories: texts/<story>.txt -> stimuli/<story>.ogg and <story>.TextGrid.

    python tools/build_demo/speak.py                  every story
    python tools/build_demo/speak.py lighthouse       only this one

Needs Debian's libflite1 (`apt-get install flite`), soundfile and praatio. The C library is called rather than
the `flite` command because only the utterance tree says which word and which stress a phone belongs to.
"""

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from praatio import textgrid

DEMO = Path(__file__).resolve().parents[2] / "src" / "brainwavlm" / "assets" / "demo"

# Who speaks what. All three are voices of CMU ARCTIC: slt a woman, rms and awb men.
VOICES = {
    "bakery": "rms", "bees": "slt", "chess": "awb", "dog": "slt",
    "ferry": "slt", "flood": "rms", "garden": "slt", "letter": "rms",
    "lighthouse": "awb", "market": "slt", "museum": "awb", "orchestra": "slt",
    "play": "awb", "repair": "rms", "rescue": "rms", "train": "awb",
}  # fmt: skip
# Duration stretch: slt and awb hurry by nature; this brings the stories to about 95 s each.
STRETCH = {"slt": 1.06, "rms": 1.0, "awb": 1.08}

SAMPLE_RATE = 16_000  # Hz, the rate of all three voices
# Seconds of silence that are added to the short pauses flite makes itself.
PAUSE = {"start": 0.2, "sentence": 0.15, "paragraph": 0.5, "end": 0.3}
LEVEL = -23.0  # dBFS, root mean square over the whole story
COMPRESSION = 0.936  # libsndfile's scale: 250 * (1 - level) + 6 kbit/s = 22 kbit/s

VOWELS = {"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"}
CONSONANTS = {"B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T",
              "TH", "V", "W", "Y", "Z", "ZH"}  # fmt: skip
SILENCE = "sp"


@dataclass(frozen=True)
class Phone:
    """One segment: `start` and `end` in seconds; `word` counts from 0 in its sentence, None in silence."""

    start: float
    end: float
    label: str
    word: int | None


class Flite:
    """flite's C library with one voice, as much of it as speaking and labelling needs."""

    class _Wave(ctypes.Structure):
        _fields_ = [
            ("type", ctypes.c_char_p),
            ("sample_rate", ctypes.c_int),
            ("num_samples", ctypes.c_int),
            ("num_channels", ctypes.c_int),
            ("samples", ctypes.POINTER(ctypes.c_short)),
        ]

    class _Voice(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]

    def __init__(self, voice, stretch):
        try:
            self._c = ctypes.CDLL("libflite.so.1", ctypes.RTLD_GLOBAL)
            for part in ("usenglish", "cmulex"):
                ctypes.CDLL(f"libflite_{part}.so.1", ctypes.RTLD_GLOBAL)
            voices = ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1")
        except OSError as error:
            remedy = "Expected Debian's libflite1.\n    Install it:  apt-get install flite"
            raise SystemExit(f"{error}\n    {remedy}") from None
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        for name, result, arguments in (
            ("flite_synth_text", pointer, [text, pointer]),
            ("delete_utterance", None, [pointer]),
            ("utt_wave", ctypes.POINTER(self._Wave), [pointer]),
            ("utt_relation", pointer, [pointer, text]),
            ("relation_head", pointer, [pointer]),
            ("item_next", pointer, [pointer]),
            ("item_parent", pointer, [pointer]),
            ("item_as", pointer, [pointer, text]),
            ("ffeature_string", text, [pointer, text]),
            ("ffeature_float", ctypes.c_float, [pointer, text]),
            ("feat_set_float", None, [pointer, text, ctypes.c_float]),
        ):
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments
        register = getattr(voices, f"register_cmu_us_{voice}")
        register.restype, register.argtypes = ctypes.POINTER(self._Voice), [text]
        self._c.flite_init()
        self._voice = register(None)
        self._c.feat_set_float(self._voice.contents.features, b"duration_stretch", stretch)

    def speak(self, sentence):
        """Sound and phones of one sentence.

        Parameters
        ----------
        sentence : str
            ASCII, with its punctuation, which makes flite's pauses.

        Returns
        -------
        samples : array (n_samples,), float64 in [-1, 1), at SAMPLE_RATE
        phones : list of Phone, seconds from the sentence's onset, without gaps
        words : list of str, lower case without punctuation, in the order that `Phone.word` counts
        """
        c = self._c
        utterance = c.flite_synth_text(sentence.encode("ascii"), self._voice)
        wave = c.utt_wave(utterance).contents
        if wave.sample_rate != SAMPLE_RATE:
            raise SystemExit(
                f"flite spoke at {wave.sample_rate} Hz, not {SAMPLE_RATE}: choose another voice."
            )
        samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)) / 32768
        phones, words, tokens, start = [], [], [], 0.0
        segment = c.relation_head(c.utt_relation(utterance, b"Segment"))
        while segment:
            name = c.ffeature_string(segment, b"name").decode()
            end = c.ffeature_float(segment, b"end")
            syllable = c.item_parent(c.item_as(segment, b"SylStructure") or None)
            if syllable:
                # flite cuts "captain's" into two words; its token is what stands between spaces.
                token = c.item_parent(c.item_as(c.item_parent(syllable), b"Token"))
                if token not in tokens:
                    tokens.append(token)
                    words.append(c.ffeature_string(token, b"name").decode().lower())
                stress = c.ffeature_string(syllable, b"stress").decode()
                phones.append(Phone(start, end, arpabet(name, stress), tokens.index(token)))
            else:
                phones.append(Phone(start, end, arpabet(name, "0"), None))
            start = end
            segment = c.item_next(segment)
        c.delete_utterance(utterance)
        return samples, phones, words


def arpabet(name, stress):
    """ARPAbet label of a flite phone: "ax", "0" -> "AH0"; "pau" -> "sp"; consonants carry no stress."""
    label = {"pau": SILENCE, "ax": "AH"}.get(name, name.upper())
    if label in VOWELS:
        return label + stress
    if label in CONSONANTS or label == SILENCE:
        return label
    raise ValueError(f"flite's phone {name!r} has no ARPAbet label here: add it to VOWELS or CONSONANTS")


def read_text(path):
    """Paragraphs of sentences: list of lists of str. A blank line parts paragraphs; . ? ! end sentences."""
    paragraphs = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [re.split(r"(?<=[.?!])\s+", " ".join(paragraph.split())) for paragraph in paragraphs]


def words_of(sentence):
    """The words as the word tier spells them: lower case, letters and inner apostrophes only."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", sentence.lower())


def tell(paragraphs, flite):
    """A whole story.

    Parameters
    ----------
    paragraphs : list of lists of str
        As `read_text` gives them.
    flite : Flite
        Who speaks.

    Returns
    -------
    samples : array (n_samples,), float32, LEVEL dBFS RMS, at SAMPLE_RATE
    phones, words : lists of (start, end, label), seconds from sound onset, without gaps, 0 to the end
    """
    pieces, phones, words, now = [], [], [], 0.0

    def be_silent(seconds):
        nonlocal now
        pieces.append(np.zeros(round(seconds * SAMPLE_RATE)))
        end = now + pieces[-1].size / SAMPLE_RATE
        phones.append((now, end, SILENCE))
        words.append((now, end, SILENCE))
        now = end

    be_silent(PAUSE["start"])
    for p, paragraph in enumerate(paragraphs):
        for s, sentence in enumerate(paragraph):
            if p or s:
                be_silent(PAUSE["sentence"] if s else PAUSE["paragraph"])
            samples, spoken, said = flite.speak(sentence)
            if said != words_of(sentence):
                raise ValueError(f"flite read {said}, expected {words_of(sentence)}: spell the sentence out")
            pieces.append(samples)
            length = samples.size / SAMPLE_RATE
            if abs(spoken[-1].end - length) > 0.02:
                raise ValueError(
                    f"{sentence!r}: phones end at {spoken[-1].end:.3f} s, sound at {length:.3f} s"
                )
            for phone in spoken:
                # The sound may outlast the last label by a vocoder frame (5 ms).
                end = now + (length if phone is spoken[-1] else min(phone.end, length))
                phones.append((now + phone.start, end, phone.label))
                words.append((now + phone.start, end, SILENCE if phone.word is None else (p, s, phone.word)))
            now += length
    be_silent(PAUSE["end"])

    words = [(start, end, key if key == SILENCE else words_of(paragraphs[key[0]][key[1]])[key[2]])
             for start, end, key in joined(words)]  # fmt: skip
    samples = np.concatenate(pieces)
    samples *= 10 ** (LEVEL / 20) / np.sqrt(np.mean(samples**2))
    if np.abs(samples).max() > 0.9:
        raise ValueError(f"peak of {np.abs(samples).max():.2f}, expected less than 0.9: lower LEVEL")
    return samples.astype(np.float32), joined(phones, only=SILENCE), words


def joined(intervals, only=None):
    """Neighbours with the same label become one interval; with `only`, just those of that label."""
    result = []
    for start, end, label in intervals:
        if result and result[-1][2] == label and only in (None, label):
            start = result.pop()[0]
        result.append((start, end, label))
    return result


def write_textgrid(path, phones, words, duration):
    """Tier 0 `phone`, tier 1 `word`, as in ds003020. Times are rounded to 0.1 ms; a vocoder frame is 5 ms."""
    grid = textgrid.Textgrid()
    for name, intervals in (("phone", phones), ("word", words)):
        rounded = [(round(start, 4), round(end, 4), label) for start, end, label in intervals]
        grid.addTier(textgrid.IntervalTier(name, rounded, 0, round(duration, 4)))
    grid.save(str(path), format="short_textgrid", includeBlankSpaces=True)


def write_sound(path, samples):
    """Ogg/Opus, mono, 16 kHz, and a check that decoding keeps the time.

    lag = argmax over k of sum_t written[t] * decoded[t + k], |k| < 50 ms, in 10 s at start, middle and end.

    Returns
    -------
    lags : list of three floats, seconds
    decoded : array (n_samples,), float32

    Raises
    ------
    ValueError
        When the decoded sound is 20 ms longer or shorter, or 5 ms early or late.
    """
    soundfile.write(path, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
    decoded, rate = soundfile.read(path, dtype="float32")
    if rate != SAMPLE_RATE or abs(decoded.size - samples.size) > 0.02 * SAMPLE_RATE:
        raise ValueError(f"{path}: {decoded.size} samples at {rate} Hz, expected {samples.size}")
    places = np.linspace(0, samples.size - 10 * SAMPLE_RATE, 3).astype(int)
    lags = [_lag(samples, decoded, at) for at in places]
    if np.abs(lags).max() > 0.005:
        raise ValueError(f"{path}: decoded sound is {lags} s late, expected less than 0.005 s")
    return lags, decoded


def _lag(written, decoded, at, reach=SAMPLE_RATE // 20):
    """Seconds by which `decoded` is late in the ten seconds from sample `at`, within `reach` samples."""
    inner = written[at + reach : at + 10 * SAMPLE_RATE - reach]
    products = [inner @ decoded[at + reach + lag :][: inner.size] for lag in range(-reach, reach + 1)]
    return (int(np.argmax(products)) - reach) / SAMPLE_RATE


def write_table(rows):
    """The table in stimuli/README.md between its two markers: story, voice, seconds, words."""
    path = DEMO / "stimuli" / "README.md"
    begin, end = "<!-- table by speak.py -->\n", "<!-- end of table -->"
    before, rest = path.read_text(encoding="utf-8").split(begin)
    lines = ["| story | voice | seconds | words |", "|---|---|---|---|"]
    lines += [f"| {story} | {voice} | {seconds:.1f} | {n_words} |" for story, voice, seconds, n_words in rows]
    path.write_text(before + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1], encoding="utf-8")


def main(stories):
    rows = []
    for story in stories or sorted(VOICES):
        voice = VOICES[story]
        paragraphs = read_text(DEMO / "texts" / f"{story}.txt")
        samples, phones, words = tell(paragraphs, Flite(voice, STRETCH[voice]))
        lags, decoded = write_sound(DEMO / "stimuli" / f"{story}.ogg", samples)
        write_textgrid(DEMO / "stimuli" / f"{story}.TextGrid", phones, words, decoded.size / SAMPLE_RATE)
        n_words = sum(label != SILENCE for _, _, label in words)
        rows.append((story, voice, decoded.size / SAMPLE_RATE, n_words))
        n_bytes = (DEMO / "stimuli" / f"{story}.ogg").stat().st_size
        print(f"{story:12} {voice}  {rows[-1][2]:6.1f} s  {n_words} words  {n_bytes} bytes  "
              f"lag {1000 * max(lags, key=abs):+.2f} ms  length {decoded.size - samples.size:+d} samples  "
              f"peak {np.abs(decoded).max():.2f}")  # fmt: skip
    if not stories:
        write_table(rows)
        minutes, n_words = sum(row[2] for row in rows) / 60, sum(row[3] for row in rows)
        print(f"{len(rows)} stories, {minutes:.1f} min, {n_words} words")


if __name__ == "__main__":
    main(sys.argv[1:])
