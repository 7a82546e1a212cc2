"""How small heads on hidden states do a speech task, before and after tuning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainwavlm.files import replacing
from brainwavlm.formatting.html import block, sentence, simulated_badge, table
from brainwavlm.formatting.numbers import plus_minus
from brainwavlm.results.schemas import DOWNSTREAM_AGAIN, SpeechTaskSummary
from brainwavlm.results.tables import (
    frame_rows,
    read_summary,
    read_table,
    records,
    write_frame,
    write_summary,
)

SOUNDS = "sounds"
_RATE = 16000


@dataclass(frozen=True, eq=False)
class SpeechTask:
    """A task for heads on hidden states of runs, and of the models that they started from.

    Attributes
    ----------
    table : DataFrame
        One row a run and score: run, subject, seed, task, score (accuracy, f1; per, cer, wer: rates of errors; mcd in
        dB), n_seeds (of heads), reference (accuracy of the most frequent label; of synthesis the vocoder on the sound's
        own log-mel energies), score_frozen, score_tuned (means over seeds), difference, low, high (95 % interval over
        what `summary` says), deviation of differences over seeds, and seed_low, seed_high (95 % interval of their mean
        over seeds), low_frozen to high_tuned (of the scores themselves), n_units (tested labels, or utterances),
        n_groups (what the interval is over).
    summary : dict
        What `summary.json` says.
    sounds : mapping of str to float32 array (n_samples,)
        Of synthesis, 16 kHz, by the path of their file in the folder; not read back.
    path : Path
        The folder that it was read from; of one that was never saved, a name.
    """

    table: pd.DataFrame
    summary: dict[str, Any]
    sounds: Mapping[str, np.ndarray] = field(default_factory=dict)
    path: Path = Path("downstream")

    @classmethod
    def open(cls, folder: str | Path) -> "SpeechTask":
        """The task in a folder. RunError where a file is missing or damaged, or of a version that cannot be read."""
        folder = Path(folder)
        summary = read_summary(folder / "summary.json", SpeechTaskSummary, DOWNSTREAM_AGAIN)
        return cls(read_table(folder / "speech_task.csv", DOWNSTREAM_AGAIN), summary, path=folder)

    def save(self, folder: str | Path) -> Path:
        """Write speech_task.csv, sounds as WAV files, and summary.json, each whole; the summary last."""
        import soundfile

        folder = Path(folder)
        write_frame(folder / "speech_task.csv", self.table)
        for name, sound in self.sounds.items():
            with replacing(folder / name) as temporary:
                soundfile.write(temporary, sound, _RATE, format="WAV", subtype="PCM_16")
        write_summary(folder / "summary.json", self.summary, SpeechTaskSummary)
        return folder

    @property
    def simulated(self) -> bool:
        """Whether any run was tuned on simulated responses."""
        return bool(self.summary["simulated"])

    def as_dict(self) -> dict[str, Any]:
        """The table and the summary, for `--json`."""
        return {**self.summary, "tables": {"table": frame_rows(self.table)}}

    def rows(self) -> list[dict[str, Any]]:
        """For a table in the terminal."""
        return [
            {
                "run": row["run"],
                "score": row["score"],
                "reference": row["reference"],
                "frozen": row["score_frozen"],
                "tuned": row["score_tuned"],
                "change, 95 %": plus_minus(row["difference"], row["low"], row["high"]),
                "over seeds": plus_minus(row["difference"], row["seed_low"], row["seed_high"]),
            }
            for row in records(self.table)
        ]

    def _repr_html_(self) -> str:
        marks, notes = simulated_badge(self.simulated), map(sentence, self.summary["notes"])
        return block(f"Speech task: {self.summary['task']}", marks, table(self.rows()), *notes)
