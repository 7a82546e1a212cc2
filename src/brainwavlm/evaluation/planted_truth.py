"""What can be known of simulated responses alone: how predictions follow the signal that was planted, without noise."""

from collections.abc import Mapping

import numpy as np

from brainwavlm.datasets.hdf5 import open_hdf5, stored
from brainwavlm.encoding.alignment import zscored
from brainwavlm.errors import DatasetError
from brainwavlm.evaluation.ridge_predictions import RidgePredictions
from brainwavlm.evaluation.scores import correlation, mean_over
from brainwavlm.evaluation.scoring_plan import ScoringPlan


def clean_correlations(plan: ScoringPlan, held: RidgePredictions) -> dict[str, np.ndarray]:
    """clean_r[v] = correlation(signal, predicted) over all held-out rows, clean_shared_r by the shared map, (n_kept,).

    The signal is `clean/STORY` of planted/SUBJECT.h5 in the data set, z-scored within each story as responses are; NaN
    in voxels without one. Nothing of responses that were measured, or where a held-out story has no such signal.

    Raises
    ------
    DatasetError
        A signal of another shape than the responses.
    """
    dataset, subject = plan.data.dataset, plan.data.subject
    if not dataset.simulated:
        return {}
    path = dataset.path / "planted" / f"{subject.name}.h5"
    if not path.is_file():
        return {}
    parts = []
    with open_hdf5(path) as file:
        for recording in plan.held_out:
            signal = stored(file, f"clean/{recording.story.name}", path)
            if signal is None:
                return {}
            expected = (recording.shape[0], subject.n_voxels)
            if getattr(signal, "shape", None) != expected:
                found = f"clean/{recording.story.name} of shape {getattr(signal, 'shape', 'a group')}."
                remedy = "Write the signal of the rows of the responses, or remove the file."
                raise DatasetError(path, found, f"{expected}, as the responses.", remedy)
            parts.append(zscored(signal[...].astype(np.float32)[:, plan.columns]))
    clean = np.concatenate(parts)
    return {
        "clean_r": correlation(clean, held.predicted),
        "clean_shared_r": correlation(clean, held.shared),
    }


def clean_means(correlations: Mapping[str, np.ndarray], mask: np.ndarray, of: str = "") -> dict[str, float]:
    """Mean of each over voxels of a mask that carry a signal, by its name and of which model; NaN where none does."""
    return {name + of: mean_over(r, mask) for name, r in correlations.items()}
