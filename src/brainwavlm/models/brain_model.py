"""A tuned speech model with its readouts, ready for any sound."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from brainwavlm.config import AlignmentConfig, WindowConfig
from brainwavlm.datasets.responses import Channel
from brainwavlm.errors import ConfigError
from brainwavlm.models.sound_rows import SoundFeatures, SoundRows, sound_of
from brainwavlm.progress import Progress
from brainwavlm.speech.hidden_states import Backbone

Readout = Literal["ridge", "trained"]


class Features(NamedTuple):
    """Ends of windows in seconds, (n_windows,), and the hidden states there, (n_windows, n_dims) float32."""

    times: np.ndarray
    states: np.ndarray


class Prediction(NamedTuple):
    """Responses in deviations (n_trs, n_voxels), when each row begins in seconds (n_trs,), and columns (n_voxels,)."""

    values: np.ndarray
    times: np.ndarray
    voxel: np.ndarray


@dataclass(frozen=True)
class SubjectModel:
    """The readouts of one subject.

    `ridge` is meant for prediction: closed form, on all training and validation stories, with a penalty for each voxel
    chosen over folds of stories, as `evaluate` scores it. `trained` is the readout that tuning had, on its target.

    Attributes
    ----------
    name, tr
        And seconds between the rows that it was fitted on.
    n_voxels : int
        Columns of the subject's responses; `ridge_voxel` and `trained_voxel` count in them.
    ridge_voxel, trained_voxel : int arrays (n_predicted,)
        Columns that the readouts predict; none where tuning had other targets than voxels.
    weights : array (n_delays * n_dims, n_predicted), float32
        Of ridge, delay-major: `design @ weights` are responses in deviations.
    alphas : array (n_predicted,)
        Penalties.
    trained : module
    hemisphere, vertex, ceiling : arrays (n_voxels,) or None
        0 left, 1 right; vertex on `surface`; noise ceiling.
    position : array (n_voxels, 3) or None
        Of electrodes, mm.
    surface : str or None
    mask : Path or None
        NIfTI volume whose voxels above zero are the columns.
    splits : dict of str to list of str
        Stories of train, validation and test.
    """

    name: str
    tr: float
    n_voxels: int
    ridge_voxel: np.ndarray
    weights: np.ndarray
    alphas: np.ndarray
    trained_voxel: np.ndarray
    trained: torch.nn.Module
    hemisphere: np.ndarray | None = None
    vertex: np.ndarray | None = None
    ceiling: np.ndarray | None = None
    position: np.ndarray | None = None
    surface: str | None = None
    mask: Path | None = None
    splits: dict[str, list[str]] = field(default_factory=dict)

    def readout(self, kind: Readout) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Columns that a readout predicts, and the function to them from design (n_rows, n_columns); or ConfigError."""
        if kind == "ridge":
            return self.ridge_voxel, lambda design: design @ self.weights
        if kind != "trained" or not len(self.trained_voxel):
            there = "ridge or trained." if len(self.trained_voxel) else "ridge; tuning's predicts no voxels."
            raise ConfigError("readout", repr(kind), there, "Leave it out for ridge.")

        def read_out(design: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return self.trained(torch.from_numpy(design)).numpy()

        return self.trained_voxel, read_out


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
    clipped : bool
        Whether tuning dropped negative lobes (quirks.clip_kernel), which its readout then needs.
    readouts : mapping of str to function
        By subject, what reads or fits its readouts, once.
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
    clipped: bool
    readouts: Mapping[str, Callable[[], SubjectModel]]
    simulated: bool
    scores: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def subjects(self) -> list[str]:
        """Whose responses it predicts."""
        return list(self.readouts)

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
        return self.readouts[name]()

    def sound_features(self, sound: Any, rate: int | None = None, channel: Channel = "mean") -> SoundFeatures:
        """Hidden states of a sound, read as they are asked for."""
        heard = sound_of(sound, rate, channel)
        return SoundFeatures(self.backbone, self.layer, self.windows, heard)

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
        # What is wrong with a sound is told before ridge is fitted.
        features, who = self.sound_features(sound, rate, channel), self.subject(subject)
        voxel, function = who.readout(readout)
        sound_rows = self.rows(features, who, tr, readout, times)
        blocks = (progress or Progress()).over(sound_rows.blocks(), "Reading the sound")
        rows, mass = (np.concatenate(part) for part in zip(*map(sound_rows.read, blocks), strict=True))
        values = [some for _, some in sound_rows.predicted(rows, mass, function)]
        return Prediction(np.concatenate(values), sound_rows.times, voxel)

    def __repr__(self) -> str:
        mark = ", SIMULATED responses" if self.simulated else ""
        return f"<BrainModel {self.name}: {', '.join(self.subjects)}, hidden state {self.layer}{mark}>"
