"""Maps of an evaluation, `ridge` or a partition: every column of its voxels, and in the subject's space.

maps = brainwavlm.open_maps("my-run")
maps.save("exported")                       # NIfTI, GIFTI, a sidecar: docs/how-to/maps.md
maps["my-run"].volume("r_tuned")            # a nibabel image, where the data set is a volume
maps["my-run"].surface("r_tuned")["left"]   # (n_vertices,), where voxels lie on a surface
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from brainwavlm.reporting.maps.columns import voxel_maps
from brainwavlm.reporting.maps.run_maps import RunMaps, maps_html
from brainwavlm.reporting.maps.volume import Space, grid_of
from brainwavlm.reporting.sources import OfVoxels, sources_of
from brainwavlm.results.evaluation import Evaluation
from brainwavlm.results.open import made_at, shown_folder
from brainwavlm.results.partition import Partition


class Maps(dict[str, RunMaps]):
    """The maps of an evaluation or a partition, `results`, by the names of its runs. Open them with `open_maps`."""

    def __init__(self, results: OfVoxels, runs: Mapping[str, RunMaps]) -> None:
        super().__init__(runs)
        self.results = results

    @property
    def title(self) -> str:
        """What they are, with a word where responses are simulated."""
        what = f"Maps of {self.results.path.resolve().name}"
        return f"{what} (SIMULATED responses)" if self.results.simulated else what

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

        runs, table = list(self.values()), self.results.voxels_path
        return write_maps(runs, table, Path(folder), space, surfaces, flatmaps)

    def __repr__(self) -> str:
        return f"<{self.title}: {', '.join(map(repr, self))}>"

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
    sources = sources_of(results)
    runs = {}
    for run in results.runs:
        name, source = run["name"], sources[run["name"]]
        maps, notes = voxel_maps(results, run, source, targets)
        grid, no_grid = grid_of(source)
        notes += [note for note in (no_grid, source.no_mesh and f"No surface: {source.no_mesh}") if note]
        known = tuple(dict.fromkeys(notes))
        runs[name] = RunMaps(run, results.of_run(name).voxel, maps, source, grid, source.mesh, known)
    return Maps(results, runs)
