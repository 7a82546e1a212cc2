"""Rules of the house that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "brainwavlm"
ORDER = ["datasets", "stimulus", "speech", "encoding", "evaluation", "reporting"]
# check has to listen to the sound that a data set names.
ALLOWED = {("datasets/check_stimuli.py", "stimulus"), ("datasets/check.py", "stimulus")}
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "himalaya",
    "nilearn",
    "sklearn",
    "scipy",
    "pandas",
    "matplotlib",
}


def modules():
    return sorted(SOURCE.rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_imports_follow_the_path_of_the_data_and_never_go_back():
    back = []
    for path in modules():
        relative = path.relative_to(SOURCE)
        if relative.parts[0] not in ORDER:
            continue
        here = ORDER.index(relative.parts[0])
        for module in imported(path):
            parts = module.split(".")
            later = len(parts) > 1 and parts[0] == "brainwavlm" and parts[1] in ORDER[here + 1 :]
            if later and (relative.as_posix(), parts[1]) not in ALLOWED:
                back.append(f"{relative} imports {module}")
    assert back == []


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; sys.argv = ['brainwavlm', *sys.argv[1:]]\n"
        "from brainwavlm.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('LOADED', ' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stderr.split("LOADED")[1].split()}
    assert loaded & HEAVY == set()


def test_importing_the_package_imports_nothing_heavy():
    code = "import brainwavlm, sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in done.stdout.split()} & (
        HEAVY | {"numpy", "pydantic", "h5py"}
    ) == set()


def test_every_public_name_can_be_imported():
    import brainwavlm

    assert [name for name in brainwavlm.__all__ if not callable(getattr(brainwavlm, name))] == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bpickle\b",
        r"strict=False\)\s*#?.*load_state",
        r"trust_remote_code",
        r"nan_to_num",
        r"os\.environ",
        r"import \*",
        r"except\s*:",
    ],
)
def test_nothing_forbidden_is_in_the_source(pattern):
    found = [str(path) for path in modules() if re.search(pattern, path.read_text(encoding="utf-8"))]
    # Ray can be told to report nothing to its makers through the environment alone.
    allowed = [str(SOURCE / "study" / "ray_engine.py")] if pattern == r"os\.environ" else []
    assert [path for path in found if path not in allowed] == []


def test_errors_say_what_to_do_next_with_one_message_and_exit_code_two(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "brainwavlm", "check", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "nowhere" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
