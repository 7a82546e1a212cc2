"""How small heads on hidden states do a speech task, before and after tuning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from brainwavlm.files import replacing
from brainwavlm.results.result import Result
from brainwavlm.results.schemas import DOWNSTREAM_AGAIN, SpeechTaskSummary
from brainwavlm.results.tables import told

SOUNDS = "sounds"
_RATE = 16000


@dataclass(frozen=True, eq=False)
class SpeechTask(Result):
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

    FILES: ClassVar = {"table": "speech_task.csv"}
    SUMMARY, AGAIN = SpeechTaskSummary, DOWNSTREAM_AGAIN
    table: pd.DataFrame
    summary: dict[str, Any]
    sounds: Mapping[str, np.ndarray] = field(default_factory=dict)
    path: Path = Path("downstream")

    def save(self, folder: str | Path) -> Path:
        """Write sounds as WAV files, speech_task.csv, and summary.json, each whole; the summary last."""
        import soundfile

        for name, sound in self.sounds.items():
            with replacing(Path(folder) / name) as temporary:
                soundfile.write(temporary, sound, _RATE, format="WAV", subtype="PCM_16")
        return super().save(folder)

    @property
    def title(self) -> str:
        """Its task."""
        return f"Speech task: {self.summary['task']}"

    def rows(self) -> list[dict[str, Any]]:
        """Every score, for people."""
        columns = ("run", "score", "reference", "score_frozen", "score_tuned", "change, 95 %", "over seeds")
        return told(self.table, *columns)
