"""Energy that the counters of a machine measured while a run ran."""

import ctypes
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

RAPL = Path("/sys/class/powercap")
# A counter of a processor package turns over; more than this it does not use, so that one turn is never missed.
MOST_WATTS = 1000.0
SECONDS_BETWEEN = 10.0


@dataclass
class Meter:
    """Energy since it was made, in joules, from the counters that can be read; nothing is estimated.

    Processor packages by RAPL, graphics processors by NVIDIA's library. Everything that runs on them counts, also other
    programs; main memory, disks and cooling do not.

    Attributes
    ----------
    packages : list of Path
        Folders of RAPL, one a processor package.
    accelerators : list of str
        From `accelerator_ids`.
    """

    packages: Sequence[Path] = field(default_factory=lambda: rapl_packages())
    accelerators: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._last: dict[str, float] = {}
        self._joules: dict[str, float] = {}
        self._lost: set[str] = set()
        self._read_at = time.monotonic()
        self._board = _Boards(self.accelerators) if self.accelerators else None
        for name, joules, _ in self._counters():
            self._last[name], self._joules[name] = joules, 0.0

    def read(self, now: bool = False) -> None:
        """Add what was used since the last time; cheap enough for each step, which reads every ten seconds at most."""
        seconds = time.monotonic() - self._read_at
        if seconds < SECONDS_BETWEEN and not now:
            return
        self._read_at += seconds
        for name, joules, turn in self._counters():
            if turn is not None and seconds * MOST_WATTS > turn:
                self._lost.add(name)  # it may have turned over more than once since
            used = joules - self._last.get(name, joules)
            self._joules[name] = self._joules.get(name, 0.0) + (used if used >= 0 else used + (turn or 0.0))
            self._last[name] = joules

    def measured(self) -> dict[str, float] | None:
        """Kilowatt-hours by part, `processors` and `accelerators`, those that could be read; None where none could."""
        self.read(now=True)
        kilowatt_hours: dict[str, float] = {}
        for name, joules in self._joules.items():
            part = name.partition(" ")[0]
            kilowatt_hours[part] = kilowatt_hours.get(part, 0.0) + joules / 3.6e6
        for name in self._lost:
            kilowatt_hours.pop(name.partition(" ")[0], None)
        return kilowatt_hours or None

    def _counters(self) -> list[tuple[str, float, float | None]]:
        """Name, joules and the joules after which it begins anew, of each counter that can be read."""
        counters: list[tuple[str, float, float | None]] = []
        for folder in self.packages:
            with suppress(OSError, ValueError):  # since 2020 for root alone on most machines
                joules, turn = (
                    int((folder / name).read_text()) / 1e6 for name in ("energy_uj", "max_energy_range_uj")
                )
                counters.append((f"processors {folder.name}", joules, turn))
        if self._board is not None:
            counters += [(f"accelerators {name}", joules, None) for name, joules in self._board.joules()]
        return counters


def rapl_packages(root: Path = RAPL) -> list[Path]:
    """Folders of the counters of whole processor packages; their parts (cores, memory) are below them."""
    return sorted(path for path in root.glob("intel-rapl:*") if path.name.count(":") == 1)


class _Boards:
    """Energy of NVIDIA boards since their driver was loaded, through its library; nothing where that is not there."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._handles: dict[str, ctypes.c_void_p] = {}
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
            if self._library.nvmlInit_v2() != 0:
                return
        except (OSError, AttributeError):
            return
        for name in ids:
            handle = ctypes.c_void_p()
            if self._library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle)) == 0:
                self._handles[name] = handle

    def joules(self) -> list[tuple[str, float]]:
        """Name and joules of each board that has a counter."""
        readings = []
        for name, handle in self._handles.items():
            millijoules = ctypes.c_ulonglong()
            if self._library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)) == 0:
                readings.append((name, millijoules.value / 1e3))
        return readings
