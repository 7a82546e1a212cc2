"""OpenNeuro ds003020 (LeBel et al. 2023), read as published: nothing is converted or copied."""

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainwavlm.datasets.base import Dataset, Subject
from brainwavlm.datasets.responses import Recording, Split, Story
from brainwavlm.errors import DatasetError
from brainwavlm.files import RepeatedKeyError, is_listed, parsed_json, require_content

if TYPE_CHECKING:
    from brainwavlm.datasets.surfaces import SurfaceFiles, VoxelPlaces

SUBJECTS = tuple(f"UTS0{number}" for number in range(1, 10))
TEST = "wheretheressmoke"
VALIDATION = "fromboyhoodtofatherhood"
VALIDATION_OF = {"UTS09": "stagefright"}
TRIMMED = 20  # volumes of a run that have no row: respdict counts 20 more than every published file has
START = 10.0
WITHOUT_FREESURFER = ("UTS09",)  # as published


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
        "Hemispheres and labels: those of the vertex nearest to the voxel, halfway between pial and white surface. "
        "UTS09 has no FreeSurfer folder: LH and RH are known, AC and labels are not.",
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

    def subject(self, name: str) -> Subject:
        """The subject of that name, with hemispheres and labels as far as the files for them are here.

        What `anatomy` says goes before what the surfaces say. Nothing is written. Files that cannot be used do not
        stop a run on targets without them: they are named in `Subject.unread`, by `check`, and where a target asks
        for them.

        Raises
        ------
        ConfigError, DatasetError
            As `Dataset.subject`.
        """
        from brainwavlm.datasets.drawn_regions import DrawnRegions
        from brainwavlm.datasets.labels import AUDITORY_CORTEX

        known = super().subject(name)
        if not known.recordings:
            return known
        if "AC" not in known.rois:
            known = dataclasses.replace(known, regions={"AC": AUDITORY_CORTEX})
        files = self.surface_files(name)
        try:
            places = files.places(known.n_voxels)
        except DatasetError as error:
            return dataclasses.replace(known, unread={"surfaces": error})
        labels, unread = self._labels(name, places)
        subject = dataclasses.replace(
            known,
            rois={**labels, **known.rois},
            drawn=DrawnRegions(files, places),
            unread=unread,
        )
        if known.hemisphere is not None or known.vertex is not None:
            return subject
        return dataclasses.replace(
            subject, hemisphere=places.hemisphere, vertex=places.vertex, surface="native"
        )

    def anatomy(self, subject: str) -> Path | None:
        """A file of the native format in a folder `brainwavlm` that users may add to the tree."""
        file = self.path / "brainwavlm" / f"{subject}.h5"
        return file if is_listed(file) else None

    def voxel_mask(self, subject: str) -> Path | None:
        """mask_thick of the subject's own transform."""
        file = self.surface_files(subject).mask
        return file if is_listed(file) else None

    def surface_files(self, subject: str) -> "SurfaceFiles":
        """The subject's folder of the pycortex database, whether it is here or not."""
        from brainwavlm.datasets.surfaces import SurfaceFiles

        folder = self.derivative / "pycortex-db" / subject
        return SurfaceFiles(folder, folder / "transforms" / f"{subject}_auto")

    def region_problems(self, subject: str, n_voxels: int) -> list[DatasetError]:
        """Surfaces, transform and annot files that are not here, cannot be read, or do not belong together."""
        from brainwavlm.datasets.surfaces import REACH

        files = self.surface_files(subject)
        try:
            places = files.places(n_voxels)
        except DatasetError as error:
            return [error]
        problems = []
        if n_beyond := n_voxels - int(places.within_reach.sum()):
            problems.append(
                DatasetError(
                    files.mask,
                    f"{n_beyond} of {n_voxels} voxels are {REACH:g} mm or more from the surfaces.",
                    f"all less than {REACH:g} mm away, as pycortex makes this mask.",
                    "These voxels carry no label; their hemisphere is that of the nearest vertex.",
                )
            )
        if subject not in WITHOUT_FREESURFER:
            problems += dict.fromkeys(self._labels(subject, places)[1].values())
        return problems

    def _labels(
        self, subject: str, places: "VoxelPlaces"
    ) -> tuple[dict[str, np.ndarray], dict[str, DatasetError]]:
        from brainwavlm.datasets.labels import ATLASES, label_files, read_labels

        folder = self.derivative / "freesurfer_subjdir" / subject / "label"
        if any(is_listed(file) for files in label_files(folder).values() for file in files):
            return read_labels(folder, places)
        none = subject in WITHOUT_FREESURFER
        error = DatasetError(
            folder,
            "no annot file.",
            f"FreeSurfer's labels{f', which ds003020 does not have for {subject}' if none else ''}.",
            "Choose LH, RH, overlay:AC or a mask file, or add your own regions in brainwavlm/<subject>.h5."
            if none
            else "Download the folder; it is part of ds003020 since version 3.1.0.",
        )
        return {}, dict.fromkeys(ATLASES, error)

    def expected_rows(self, story: str) -> int | None:
        """Volumes in respdict.json less 20; None for a story that respdict.json does not list."""
        volumes = self._volumes.get(story)
        return None if volumes is None else volumes - TRIMMED

    @cached_property
    def _volumes(self) -> dict[str, int]:
        file = self.derivative / "respdict.json"
        require_content(file)
        try:
            volumes = parsed_json(file.read_text(encoding="utf-8"))
            return {str(story): int(count) for story, count in volumes.items()}
        except (ValueError, TypeError, AttributeError) as error:
            twice = f": it {error}" if isinstance(error, RepeatedKeyError) else ""
            raise DatasetError(
                file, f"not a table of volumes{twice}.", 'JSON such as {"sloth": 232}.', "Download it again."
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
