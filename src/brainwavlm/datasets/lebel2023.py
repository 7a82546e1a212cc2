"""OpenNeuro ds003020 (LeBel et al. 2023), read as published: nothing is converted or copied."""

import json
from functools import cached_property
from pathlib import Path

from brainwavlm.datasets.base import Dataset, Recording, Split, Story
from brainwavlm.datasets.files import is_listed, require_content
from brainwavlm.errors import DatasetError

SUBJECTS = tuple(f"UTS0{number}" for number in range(1, 10))
TEST = "wheretheressmoke"
VALIDATION = "fromboyhoodtofatherhood"
VALIDATION_OF = {"UTS09": "stagefright"}
TRIMMED = 20  # volumes of a run that have no row: respdict counts 20 more than every published file has
START = 10.0


class Lebel2023(Dataset):
    """The preprocessed responses, sound and transcripts of ds003020.

    Row k of a response is the volume that starts at sound time 10 + 2 k s: the sound starts 10 s after the
    first volume, and ten volumes are cut at the start, five of them before the sound.

    Parameters
    ----------
    path : str or Path
        The data set's folder, with `derivative` (or `derivatives`) and `stimuli`.
    """

    name = "ds003020"
    licence = "CC0"
    citation = (
        "LeBel, A., Wagner, L., Jain, S., et al. (2023). A natural language fMRI dataset for voxelwise "
        "encoding models. Scientific Data 10, 555. OpenNeuro ds003020."
    )
    tr = 2.0
    facts = (
        "Clock: row k of a response is the volume that starts at sound time 10 + 2 k s.",
        "TR: 2.0 s, as in all BIDS side-cars. Older code carries 2.0045 s, which drifts 1.35 s over 300 TRs.",
        "Test story: wheretheressmoke. Validation story: fromboyhoodtofatherhood; the authors' second one, "
        "onapproachtopluto, is not in ds003020. UTS09 lacks fromboyhoodtofatherhood: stagefright is its "
        "validation story here.",
        "Columns are the voxels of mask_thick.nii.gz in Fortran order of the array as nibabel loads it; "
        "their count is checked, their order is not verified on these data.",
        "Whether the published responses are z-scored is not stated: this program z-scores them per story.",
    )

    def __init__(self, path: str | Path):
        self.path = Path(path)
        derivative = derivative_folder(self.path)
        if derivative is None:
            raise DatasetError(
                self.path,
                "holds no derivative/preprocessed_data.",
                "a copy of OpenNeuro ds003020.",
                "Give the folder into which the data set was downloaded.",
            )
        self.derivative = derivative
        responses = self.derivative / "preprocessed_data"
        self.subject_names = tuple(name for name in SUBJECTS if (responses / name).is_dir())
        self.stories = {
            name: self._story(name, VALIDATION)
            for name in sorted({file.stem for file in responses.glob("UTS0[1-9]/[!.]*.hf5")})
        }

    def recordings(self, subject: str) -> dict[str, Recording]:
        """Every story with a file in the subject's folder."""
        validation = VALIDATION_OF.get(subject, VALIDATION)
        return {
            file.stem: Recording(subject, self._story(file.stem, validation), file, self.tr, START)
            for file in sorted((self.derivative / "preprocessed_data" / subject).glob("[!.]*.hf5"))
        }

    def anatomy(self, subject: str) -> Path | None:
        """A file of the native format in a folder `brainwavlm` that users may add to the tree."""
        file = self.path / "brainwavlm" / f"{subject}.h5"
        return file if is_listed(file) else None

    def voxel_mask(self, subject: str) -> Path | None:
        """mask_thick of the subject's own transform."""
        file = (
            self.derivative / "pycortex-db" / subject / "transforms" / f"{subject}_auto" / "mask_thick.nii.gz"
        )
        return file if is_listed(file) else None

    def expected_rows(self, story: str) -> int | None:
        """Volumes in respdict.json less 20; None for a story that respdict.json does not list."""
        volumes = self._volumes.get(story)
        return None if volumes is None else volumes - TRIMMED

    @cached_property
    def _volumes(self) -> dict[str, int]:
        file = self.derivative / "respdict.json"
        require_content(file)
        try:
            volumes = json.loads(file.read_text(encoding="utf-8"))
            return {str(story): int(count) for story, count in volumes.items()}
        except (ValueError, TypeError, AttributeError):
            raise DatasetError(
                file, "not a table of volumes.", 'JSON such as {"sloth": 232}.', "Download it again."
            ) from None

    def _story(self, name: str, validation: str) -> Story:
        split: Split = "test" if name == TEST else "validation" if name == validation else "train"
        transcript = self.derivative / "TextGrids" / f"{name}.TextGrid"
        return Story(
            name, self.path / "stimuli" / f"{name}.wav", transcript if is_listed(transcript) else None, split
        )


def derivative_folder(path: Path) -> Path | None:
    """The tree's `derivative` or `derivatives` that holds preprocessed data; None where there is neither."""
    for name in ("derivative", "derivatives"):
        if (path / name / "preprocessed_data").is_dir():
            return path / name
    return None
