"""What a run ran on and with: code, packages, machine, energy. The name of the host is nobody's business: left out."""

import ctypes
import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainwavlm import __version__

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).parent.parent
# What shows, lists or records cannot change the numbers of a run; all other code may.
SHOWS = (
    *("reporting/*", "study/*", "cli/*", "formatting/*", "progress.py", "encoding/plan.py", "__*.py"),
    *("runs/listing.py", "runs/html.py", "runs/provenance.py", "runs/environment.py", "runs/environment.py"),
)


def code_version() -> dict[str, Any]:
    """Version and digest of the code that computes runs; the git revision for people, where there is one.

    The digest is over files, so it also tells apart changes that are not committed, and works without git.
    """
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE)
        if not any(fnmatch(name.as_posix(), pattern) for pattern in SHOWS):
            digest.update(name.as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return {"version": __version__, "source": digest.hexdigest(), "git": git_revision()}


def same_code(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two versions compute the same."""
    return all(one.get(key) == other.get(key) for key in ("version", "source"))


def git_revision() -> str | None:
    """Commit of the folder that the package lies in, `+dirty` where its files differ from it."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(PACKAGE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return None  # installed into somebody else's repository
        return git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


PACKAGES = ("brainwavlm", "torch", "transformers", "peft", "accelerate", "numpy")


def versions() -> dict[str, str]:
    """Versions of the packages that decide what a run computes."""
    version_of = {}
    for package in PACKAGES:
        try:
            version_of[package] = version(package)
        except PackageNotFoundError:
            version_of[package] = "not installed as a package"
    return version_of


def machine_facts(device: "torch.device", processes: int = 1) -> dict[str, Any]:
    """Processor, memory, accelerator and operating system, without the name of the host.

    Parameters
    ----------
    device : torch device
    processes : int
        Processes of the run, each with an accelerator of its own where there are any.
    """
    import torch

    name, memory = "none" if device.type == "cpu" else device.type, None
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        name, memory = card.name, round(card.total_memory / 1e9, 1)
    return {
        "cpu": _cpu_name(),
        "cores": _usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_gb": _memory_gb(),
        "accelerator": name,
        "accelerators": processes if device.type != "cpu" else 0,
        "accelerator_gb": memory,
        "processes": processes,
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def accelerator_ids(device: "torch.device", processes: int = 1) -> list[str]:
    """What NVIDIA's library knows the graphics processors of the run by."""
    import torch

    if device.type != "cuda":
        return []
    numbers = range(min(processes, torch.cuda.device_count())) if processes > 1 else [device.index or 0]
    return [f"GPU-{torch.cuda.get_device_properties(number).uuid}" for number in numbers]


def _cpu_name() -> str:
    """As Linux or macOS names it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    with suppress(OSError, subprocess.SubprocessError):
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int | None:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory_gb() -> float | None:
    with suppress(ValueError, OSError, AttributeError):  # not on every system
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    return None


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
