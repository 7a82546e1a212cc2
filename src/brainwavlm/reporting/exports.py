"""Maps of an evaluation: every per-voxel column of voxels.csv, voxel by voxel and in the subject's space.

maps = brainwavlm.open_maps("my-run")
maps.save("exported")                       # NIfTI, GIFTI, a sidecar: docs/maps.md
maps["my-run"].volume("r_tuned")            # a nibabel image, where the data set is a volume
maps["my-run"].surface("r_tuned")["left"]   # (n_vertices,), where voxels lie on a surface
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.reporting.exports_columns import VoxelMap, voxel_maps
from brainwavlm.reporting.exports_surface import Sheet, at_vertices, sheet_of
from brainwavlm.reporting.exports_volume import Grid, Space, grid_of, volume_image
from brainwavlm.reporting.report import shown_folder
from brainwavlm.reporting.results import Results, read_results
from brainwavlm.reporting.sources import Source, sources_of

if TYPE_CHECKING:
    import nibabel


@dataclass(frozen=True, repr=False)
class RunMaps:
    """The maps of one run.

    Attributes
    ----------
    entry : mapping
        What summary.json says of the run.
    voxel : array (n_voxels,) int
        Columns of the subject's responses, in the order of the values.
    maps : dict of str to VoxelMap
    source : Source
    grid : Grid or None
        The volume whose voxels are the columns.
    sheet : Sheet or None
        The surface on which the columns lie.
    notes : tuple of str
        What could not be had, and why.
    """

    entry: Mapping[str, Any]
    voxel: np.ndarray
    maps: dict[str, VoxelMap]
    source: Source
    grid: Grid | None
    sheet: Sheet | None
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the run."""
        return str(self.entry["name"])

    @property
    def simulated(self) -> bool:
        """Whether the responses are simulated."""
        return bool(self.entry["simulated"])

    def volume(self, name: str, space: Space = "scanner") -> "nibabel.Nifti1Image":
        """A map as a volume, float32: NaN where there is no value; a mask is 0 there.

        Parameters
        ----------
        name : str
            One of `maps`.
        space : str
            scanner: the affine of the data set's mask. surfaces: mm of the subject's pycortex surfaces.

        Raises
        ------
        ConfigError
            No such map.
        RunError
            The data set is not in a volume, or its mask cannot be read.
        """
        one = self._map(name)
        if self.grid is None:
            raise self._nowhere("volume")
        return volume_image(one, self.voxel, self.grid, space, self.simulated)

    def surface(self, name: str) -> dict[str, np.ndarray]:
        """A map at the vertices of the left and the right hemisphere, float32: NaN where there is no value.

        A mask is 0 there. `exports_surface.at_vertices` says what a vertex with several voxels takes.

        Raises
        ------
        ConfigError
            No such map.
        RunError
            The voxels lie on no surface, or it cannot be read.
        """
        one = self._map(name)
        if self.sheet is None:
            raise self._nowhere("surface")
        return at_vertices(one, self.voxel, self.sheet)

    def _map(self, name: str) -> VoxelMap:
        if name not in self.maps:
            raise ConfigError(
                "map",
                f"{name!r} is no map of run {self.name}.",
                f"one of {', '.join(self.maps)}.",
                "Name one.",
            )
        return self.maps[name]

    def _nowhere(self, what: str) -> RunError:
        return RunError(
            self.name,
            " ".join([f"no {what} of {self.entry['subject']}.", *self.notes]),
            f"a data set that says in which {what} its columns lie.",
            "docs/maps.md says which do.",
        )

    def __repr__(self) -> str:
        mark = ", SIMULATED responses" if self.simulated else ""
        return f"<{len(self.maps)} maps of run {self.name!r}, {len(self.voxel):,} voxels{mark}>"

    def _repr_html_(self) -> str:
        from brainwavlm.reporting.notebook import maps_html

        return maps_html([self])


@dataclass(frozen=True, repr=False)
class Maps(Mapping[str, RunMaps]):
    """The maps of an evaluation, run by run. Open them with `open_maps`.

    Attributes
    ----------
    results : Results
    runs : dict of str to RunMaps
    """

    results: Results
    runs: dict[str, RunMaps]

    @property
    def title(self) -> str:
        """What they are, with a word where responses are simulated."""
        what = f"Maps of {self.results.path.resolve().name}"
        return f"{what} (SIMULATED responses)" if self.results.simulated else what

    def save(
        self,
        folder: str | Path,
        space: Space = "scanner",
        surfaces: bool = False,
        flatmaps: bool = False,
    ) -> Path:
        """Write every map of every run into a new folder, whole or not at all.

        Parameters
        ----------
        folder : str or Path
            New or empty.
        space : str
            Of volumes: see `RunMaps.volume`.
        surfaces : bool
            Also the surfaces, and a list of all files with which Connectome Workbench opens them at once.
        flatmaps : bool
            Also pictures of frozen r, tuned r and their difference by pycortex (extra `flatmaps`).

        Raises
        ------
        RunError
            No run can be exported.
        ConfigError
            The folder holds files, or lies in a data set; or pycortex is asked for and not installed.
        """
        from brainwavlm.reporting.exports_files import write_maps

        return write_maps(self, Path(folder), space, surfaces, flatmaps)

    def __getitem__(self, run: str) -> RunMaps:
        """The maps of a run."""
        return self.runs[run]

    def __iter__(self) -> Iterator[str]:
        """Names of the runs."""
        return iter(self.runs)

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.runs)

    def __repr__(self) -> str:
        return f"<{self.title}: {', '.join(map(repr, self.runs))}>"

    def _repr_html_(self) -> str:
        from brainwavlm.reporting.notebook import maps_html

        return maps_html(list(self.runs.values()))


def open_maps(path: str | Path, targets: Sequence[str] = ()) -> Maps:
    """The maps of an evaluation, with the volume and the surface on which each run's voxels lie.

    Parameters
    ----------
    path : str or Path
        A folder that `evaluate` wrote, or a run, whose own evaluation is taken.
    targets : sequence of str
        Further masks, beside the targets that were scored: anything that `--target` takes, e.g. aparc:bankssts.

    Raises
    ------
    RunError
        No evaluation is there, or it is damaged.
    ConfigError
        A subject has no such target.
    """
    results = read_results(shown_folder(path))
    sources = sources_of(results)
    runs = {run["name"]: _run_maps(results, run, sources[run["name"]], targets) for run in results.runs}
    return Maps(results, runs)


def _run_maps(results: Results, run: Mapping[str, Any], source: Source, targets: Sequence[str]) -> RunMaps:
    maps, notes = voxel_maps(results, run, source, targets)
    grid, no_grid = grid_of(source)
    sheet, no_sheet = sheet_of(source)
    notes += [note for note in (no_grid, no_sheet) if note]
    voxel = results.of_run(run["name"]).voxel
    return RunMaps(run, voxel, maps, source, grid, sheet, tuple(dict.fromkeys(notes)))
