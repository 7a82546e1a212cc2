"""What a run ran on and with: code, packages, machine. The name of the host is nobody's business: left out."""

import hashlib
import os
import platform
import subprocess
from contextlib import suppress
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
    *("runs/listing.py", "runs/html.py", "runs/provenance.py", "runs/environment.py"),
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
