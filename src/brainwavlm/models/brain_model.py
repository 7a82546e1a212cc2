"""A tuned speech model with its readouts, ready for any sound."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from brainwavlm.config import AlignmentConfig, WindowConfig
from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import ConfigError
from brainwavlm.models.sound_rows import SoundFeatures, SoundRows, sound_of
from brainwavlm.models.subject_model import Readout, SubjectModel
from brainwavlm.progress import Progress
from brainwavlm.speech.hidden_states import Backbone


class Features(NamedTuple):
    """Ends of windows in seconds, (n_windows,), and the hidden states there, (n_windows, n_dims) float32."""

    times: np.ndarray
    states: np.ndarray


class Prediction(NamedTuple):
    """Responses in deviations (n_trs, n_voxels), when each row begins in seconds (n_trs,), and columns (n_voxels,)."""

    values: np.ndarray
    times: np.ndarray
    voxel: np.ndarray


@dataclass(frozen=True, repr=False)
class BrainModel:
    """Sounds to hidden states and to the responses of those subjects whom the model was tuned on. Made by `load`.

    Attributes
    ----------
    name : str
        Of the folder, hub id or run.
    backbone : Backbone
        The tuned speech model, read at `layer`.
    layer : int
    windows : WindowConfig
    alignment : AlignmentConfig
    batch : int or None
        Windows at once.
    clipped : bool
        Whether tuning dropped negative lobes (quirks.clip_kernel), which its readout then needs.
    readouts : mapping of str to function
        By subject, what reads or fits its readouts; `subject` calls it once.
    simulated : bool
        Whether the responses are.
    scores : list of dict
        Rows of the evaluation that was exported with it: target, n_voxels, r_frozen, r_tuned, difference, low, high.
    about : dict
        What else the manifest says: data set, licences, tuning.
    """

    name: str
    backbone: Backbone
    layer: int
    windows: WindowConfig
    alignment: AlignmentConfig
    batch: int | None
    clipped: bool
    readouts: Mapping[str, Callable[[], SubjectModel]]
    simulated: bool
    scores: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def subjects(self) -> list[str]:
        """Whose responses it predicts."""
        return list(self.readouts)

    @cached_property
    def _read(self) -> dict[str, SubjectModel]:
        return {}

    def subject(self, name: str | None = None) -> SubjectModel:
        """The readouts of one subject, the only one where none is named. Of a run, ridge is fitted at the first call.

        Raises
        ------
        ConfigError
            No such subject, or none named of several.
        """
        if name is None and len(self.readouts) == 1:
            name = self.subjects[0]
        if name is None or name not in self.readouts:
            told = "none named." if name is None else f"{name!r} is not in {self.name}."
            raise ConfigError("subject", told, f"one of {', '.join(self.subjects)}.", "Name one of them.")
        if name not in self._read:
            self._read[name] = self.readouts[name]()
        return self._read[name]

    def to(self, device: str) -> "BrainModel":
        """The same, computing on that device."""
        self.backbone.to(device)
        return self

    def sound_features(self, sound: Any, rate: int | None = None, channel: Channel = "mean") -> SoundFeatures:
        """Hidden states of a sound, read as they are asked for."""
        return SoundFeatures(
            self.backbone, self.layer, self.windows, sound_of(sound, rate, channel), self.batch
        )

    def features(self, sound: Any, rate: int | None = None, channel: Channel = "mean") -> Features:
        """Hidden states of a sound, read as in the run: at `layer`, one a window.

        Parameters
        ----------
        sound : path, or array (n_samples,) or (n_samples, n_channels)
            A sound file; or floats between -1 and 1, with their `rate` in Hz.
        rate : int or None
        channel : str or int
            Of a file: mean, left, right, or a number from 1.

        Raises
        ------
        DatasetError, ConfigError
            A file, or an array, that is no sound.
        AlignmentError
            A sound without a window.
        """
        read = self.sound_features(sound, rate, channel)
        return Features(read.windows.times, read.read(0, len(read.windows)))

    def rows(
        self,
        features: SoundFeatures,
        subject: SubjectModel,
        tr: float | None = None,
        readout: Readout = "ridge",
        times: Sequence[float] | np.ndarray | None = None,
    ) -> SoundRows:
        """A sound's rows on the clock of TRs; nothing is read yet."""
        tr = subject.tr if tr is None else tr
        if not 0.01 <= tr < 1e4:
            raise ConfigError(
                "tr", f"{tr:g} s.", "0.01 s or more between two rows.", "Leave it out for the data set's."
            )
        return SoundRows(features, self.alignment, tr, times, self.clipped and readout == "trained")

    def predict(
        self,
        sound: Any,
        subject: str | None = None,
        tr: float | None = None,
        readout: Readout = "ridge",
        *,
        rate: int | None = None,
        times: Sequence[float] | np.ndarray | None = None,
        channel: Channel = "mean",
        progress: Progress | None = None,
    ) -> Prediction:
        """Responses to a sound: predicted = design W, in deviations of a story's responses.

        Features are normalised as in tuning and scoring: by their own mean and deviation over this sound. A sound of a
        few seconds has no good moments; predict minutes.

        Parameters
        ----------
        sound, rate, channel
            As in `features`.
        subject : str or None
            None: the only one.
        tr : float or None
            Seconds between rows; None: that of the data. Delays are counted in TRs: another TR moves them.
        readout : str
            ridge; or trained, that of tuning, on the run's target only.
        times : array (n_trs,) or None
            When each row's volume begins, in seconds from the sound's onset; None: 0, tr, 2 tr, ... within the sound.
        progress : Progress or None

        Raises
        ------
        DatasetError, ConfigError, AlignmentError
            As `features`; no such subject or readout; a sound shorter than two TRs.
        """
        features = self.sound_features(
            sound, rate, channel
        )  # what is wrong with it, before anything is fitted
        who = self.subject(subject)
        voxel, function = who.readout(readout)
        sound_rows = self.rows(features, who, tr, readout, times)
        blocks = (progress or Progress()).over(sound_rows.blocks(), "Reading the sound")
        rows, mass = (np.concatenate(part) for part in zip(*map(sound_rows.read, blocks), strict=True))
        values = [some for _, some in sound_rows.predicted(rows, mass, function)]
        return Prediction(np.concatenate(values), sound_rows.times, voxel)

    def __repr__(self) -> str:
        mark = ", SIMULATED responses" if self.simulated else ""
        return f"<BrainModel {self.name}: {', '.join(self.subjects)}, hidden state {self.layer}{mark}>"


def is_model_folder(path: Path) -> bool:
    """Whether `export` wrote that folder."""
    return (path / "brainwavlm" / "manifest.json").is_file()
