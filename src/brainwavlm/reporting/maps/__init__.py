"""Maps of an evaluation, `ridge` or a partition: every column of its voxels, and in the subject's space.

maps = brainwavlm.open_maps("my-run")
maps.save("exported")                       # NIfTI, GIFTI, a sidecar: docs/how-to/maps.md
maps["my-run"].volume("r_tuned")            # a nibabel image, where the data set is a volume
maps["my-run"].surface("r_tuned")["left"]   # (n_vertices,), where voxels lie on a surface
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.formatting.html import block, or_its_error, sentence, shown, simulated_badge
from brainwavlm.reporting import surface_maps
from brainwavlm.reporting.maps.voxel_maps import Grid, Space, VoxelMap, grid_of, volume_image, voxel_maps
from brainwavlm.results.evaluation import UNTUNED, Evaluation
from brainwavlm.results.open import made_at, shown_folder
from brainwavlm.results.partition import Partition

_MOST_RUNS = 4
_MOST_VERTICES = 50_000  # of a hemisphere: more take matplotlib longer than somebody waits for a cell
_SHOWN = ("r_frozen", "r_tuned", "difference")
_SHARES = ("unique_model_frozen", "unique_model_tuned", "unique_model_difference")


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
    notes : tuple of str
        What could not be had, and why.
    """

    entry: Mapping[str, Any]
    voxel: np.ndarray
    maps: dict[str, VoxelMap]
    source: surface_maps.Source
    grid: Grid | None
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the run."""
        return str(self.entry["name"])

    @property
    def simulated(self) -> bool:
        """Whether the responses are simulated."""
        return bool(self.entry["simulated"])

    def volume(self, name: str, space: Space = "scanner") -> nibabel.Nifti1Image:
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

        A mask is 0 there. `surface_maps.values_at_vertices` says what a vertex with several voxels takes.

        Raises
        ------
        ConfigError
            No such map.
        RunError
            The voxels lie on no surface, or it cannot be read.
        """
        one = self._map(name)
        if self.source.mesh is None:
            raise self._nowhere("surface")
        maps = surface_maps.values_at_vertices(self.source.mesh, self.voxel, one.values, one.kind)
        return {side: values.astype(np.float32) for side, values in maps.items()}

    def shown_scales(self) -> dict[str, surface_maps.Scale]:
        """The maps that pictures show, each with its colours."""
        names = [name for name in (*_SHOWN, *_SHARES) if name in self.maps]
        unit = self.maps[names[0]].unit
        return surface_maps.shown_scales([{name: self.maps[name].values for name in names}], unit)

    def _map(self, name: str) -> VoxelMap:
        if name not in self.maps:
            found = f"{name!r} is no map of run {self.name}."
            raise ConfigError("map", found, f"one of {', '.join(self.maps)}.", "Name one.")
        return self.maps[name]

    def _nowhere(self, what: str) -> RunError:
        found = " ".join([f"no {what} of {self.entry['subject']}.", *self.notes])
        expected = f"a data set that says in which {what} its columns lie."
        return RunError(self.name, found, expected, "docs/how-to/maps.md says which do.")

    def __repr__(self) -> str:
        mark = ", SIMULATED responses" if self.simulated else ""
        return f"<{len(self.maps)} maps of run {self.name!r}, {len(self.voxel):,} voxels{mark}>"

    def _repr_html_(self) -> str:
        return maps_html([self])


class Maps(dict[str, RunMaps]):
    """The maps of an evaluation or a partition, `results`, by the names of its runs. Open them with `open_maps`."""

    def __init__(self, results: surface_maps.OfVoxels, runs: Mapping[str, RunMaps]) -> None:
        super().__init__(runs)
        self.results = results

    def save(
        self, folder: str | Path, space: Space = "scanner", surfaces: bool = False, flatmaps: bool = False
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
        from brainwavlm.reporting.maps.writer import write_maps

        return write_maps(self, Path(folder), space, surfaces, flatmaps)

    def __repr__(self) -> str:
        mark = " (SIMULATED responses)" * self.results.simulated
        return f"<Maps of {self.results.path.resolve().name}{mark}: {', '.join(map(repr, self))}>"

    def _repr_html_(self) -> str:
        return maps_html(list(self.values()))


def open_maps(path: str | Path, targets: Sequence[str] = ()) -> Maps:
    """The maps of an evaluation or a partition, with the volume and the surface on which each run's voxels lie.

    Parameters
    ----------
    path : str or Path
        A folder that `evaluate`, `ridge` or `partition` wrote, or a run, whose own evaluation is taken.
    targets : sequence of str
        Further masks, beside the targets that were scored: anything that `--target` takes, e.g. aparc:bankssts.

    Raises
    ------
    RunError
        No evaluation is there, or it is damaged.
    ConfigError
        A subject has no such target.
    """
    folder = shown_folder(path)
    results = (Partition if made_at(folder) == "partition" else Evaluation).open(folder)
    sources = surface_maps.sources_of(results)
    runs = {}
    for run in results.runs:
        name, source = run["name"], sources[run["name"]]
        maps, notes = voxel_maps(results, run, source, targets)
        grid, no_grid = grid_of(source)
        notes += [note for note in (no_grid, source.no_mesh and f"No surface: {source.no_mesh}") if note]
        voxel, once = results.of_run(name).voxel, tuple(dict.fromkeys(notes))
        runs[name] = RunMaps(run, voxel, maps, source, grid, once)
    return Maps(results, runs)


def maps_html(runs: Sequence[RunMaps]) -> str:
    """Frozen r, tuned r and their difference on the cortex, and the names of all maps, run by run."""
    parts = [or_its_error(run.name, partial(_maps, run)) for run in runs[:_MOST_RUNS]]
    if len(runs) > _MOST_RUNS:
        parts.append(sentence(f"… and {len(runs) - _MOST_RUNS} more runs"))
    return "".join(parts)


def _maps(run: RunMaps) -> str:
    entry, mesh = run.entry, run.source.mesh
    on = f"on the surface {mesh.name}" if mesh else "in a volume" if run.grid else "in no known place"
    masks, numbers = (
        ", ".join(name for name, one in run.maps.items() if (one.kind == "mask") is wanted)
        for wanted in (True, False)
    )
    deed = "speech model as it is" if entry["method"] == UNTUNED else f"tuned on {entry['target']}"
    control = ["CONTROL"] if entry["control"] != "none" else []
    return block(
        f"Maps of run {run.name}",
        [*simulated_badge(run.simulated), *control],
        sentence(f"{entry['subject']}, {deed}; {len(run.voxel):,} voxels {on}"),
        _picture(run),
        sentence(f"Numbers: {numbers}"),
        sentence(f"Masks: {masks}"),
        *(sentence(note) for note in run.notes),
    )


def _picture(run: RunMaps) -> str:
    from brainwavlm.reporting.figures.brains import Panel, mean_of_finite, page_figure
    from brainwavlm.reporting.figures.style import data_uri

    mesh = run.source.mesh
    if mesh is None or not mesh.kinds:
        return ""
    n_vertices = max(len(half.sulcal) for half in mesh.halves.values())
    if n_vertices > _MOST_VERTICES:
        return sentence(f"Surfaces of {n_vertices:,} vertices are drawn by `brainwavlm report`.")
    scales, kind = run.shown_scales(), mesh.kinds[0]
    panels = [Panel(name, run.surface(name), scale, mesh, kind) for name, scale in scales.items()]
    image = data_uri(page_figure(panels, 7.0, simulated=run.simulated))
    means = ", ".join(f"{name} {shown(mean_of_finite(run.maps[name].values))}" for name in scales)
    return f'<img alt="Maps on the {kind} surface. Means over voxels: {means}." src="{image}" style="width:100%">'
