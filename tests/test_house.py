"""Rules of the house that a machine can check."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from brainwavlm.runs.writer import writing
from tests.runs.test_run import MANIFEST, VOXELS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "brainwavlm"
# Lower ones know nothing of higher ones.
ORDER = [
    *("errors", "formatting", "files", "config", "compute", "progress", "results", "datasets", "runs"),
    *("stimulus", "checks", "speech", "encoding", "evaluation", "study", "reporting", "models", "cli"),
]
AT_THE_ROOT = {"__init__", "__main__", "errors", "files", "compute", "progress"}
CONTENTS = re.compile(r"^ *(\w+) {2,}\S", re.M)  # a line of a docstring that lists what is in a folder
LONGEST, LONGEST_SCHEMA = 250, 450
HEAVY = {"torch", "transformers", "peft", "accelerate", "himalaya"}
HEAVY |= {"nilearn", "sklearn", "scipy", "pandas", "matplotlib"}


def modules():
    return sorted(SOURCE.rglob("*.py"))


@cache
def nodes(path):
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def name_of(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports():
    """Every module with the modules of the package that it imports, lazily and for typing too."""
    names = {name_of(path): path for path in modules()}
    found = {}
    for name, path in names.items():
        found[name] = set()
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "brainwavlm":
                folder = node.module.removeprefix("brainwavlm").removeprefix(".")
                below = {f"{folder}.{alias.name}".lstrip(".") for alias in node.names}
                found[name] |= (below & names.keys()) or {folder}
        # Whoever imports a module runs the folders above it first, but for those that are being imported already.
        found[name] |= {str(above) for other in found[name] for above in packages_above(other)}
        found[name] -= {name, "", *packages_above(name)}
    return found


def packages_above(name):
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def test_no_module_imports_itself_by_a_detour():
    TopologicalSorter(imports()).prepare()  # CycleError names the circle


def test_imports_follow_the_order_of_the_folders_and_never_go_back():
    back = [
        f"{name} imports {other}"
        for name, others in imports().items()
        if name not in ("", "__main__")
        for other in others
        if ORDER.index(other.split(".")[0]) > ORDER.index(name.split(".")[0])
    ]
    assert back == []


def test_only_what_everything_needs_lies_at_the_root():
    assert {path.stem for path in SOURCE.glob("*.py")} == AT_THE_ROOT


def test_a_file_is_one_idea():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    long = {name: n for name, n in lengths.items() if n > LONGEST and name != "config.schema"}
    assert long == {}
    assert lengths["config.schema"] <= LONGEST_SCHEMA


COMMANDS = """
import sys
from brainwavlm.cli import main
for words in (["--help"], ["tune", "--help"], ["runs", sys.argv[1]]):
    sys.argv = ["brainwavlm", *words]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
"""
RESULTS = """
from brainwavlm.results import Comparison, Evaluation, Transfer, open_result
from brainwavlm.evaluation.compare import compare
"""
NAMES = "import sys, atexit; atexit.register(lambda: print('LOADED', *sys.modules))\n"


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import brainwavlm.cli", HEAVY | {"numpy", "pydantic"}),
        (COMMANDS, HEAVY | {"h5py"}),
        ("import brainwavlm.datasets", HEAVY | {"numpy", "pydantic", "h5py", "nibabel", "soundfile", "yaml"}),
        (RESULTS, {"torch", "transformers", "peft"}),
    ],
    ids=["the help", "help and a list of runs", "the package", "results"],
)
def test_nothing_heavy_is_imported_for(tmp_path, code, forbidden):
    with writing(tmp_path / "run", MANIFEST, VOXELS, resume=False):
        pass
    command = [sys.executable, "-c", NAMES + code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split("LOADED")[1].split()}
    assert loaded & forbidden == set()


def test_files_that_a_folder_without_public_names_lists_are_there():
    for path in SOURCE.rglob("__init__.py"):
        if not path.with_suffix(".pyi").exists():
            listed = set(
                CONTENTS.findall(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
            )
            assert listed <= {module.stem for module in path.parent.iterdir()}, path


@pytest.mark.parametrize("folder", sorted(name_of(stub) for stub in SOURCE.rglob("__init__.pyi")))
def test_a_folder_says_what_its_public_names_are_and_each_can_be_imported(folder):
    module = importlib.import_module(f"brainwavlm.{folder}".rstrip("."))
    assert sorted(CONTENTS.findall(module.__doc__)) == sorted(module.__all__)
    assert len(module.__all__) <= (15 if folder else 24)  # the root has a name a command
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"\bpickle\b", r"strict=False\)\s*#?.*load_state", r"trust_remote_code", r"nan_to_num"),
        *(r"os\.environ", r"import \*", r"except\s*:"),
    ],
)
def test_nothing_forbidden_is_in_the_source(pattern):
    found = [str(path) for path in modules() if re.search(pattern, path.read_text(encoding="utf-8"))]
    # Which GPU a process sees, that Ray reports nothing to its makers, and that PyTorch asks for large pages can be
    # said through the environment alone.
    places = [f"study/engines/{name}.py" for name in ("local", "ray")] + ["cli/__init__.py"]
    allowed = [str(SOURCE / place) for place in places] if pattern == r"os\.environ" else []
    assert [path for path in found if path not in allowed] == []


def test_pages_that_the_source_names_are_there():
    named = {
        page
        for path in [*modules(), *SOURCE.glob("presets/*.yaml"), *ROOT.glob("studies/*.yaml")]
        for page in re.findall(r"docs/[\w./-]+?\.md", path.read_text(encoding="utf-8"))
    }
    assert [page for page in sorted(named) if not (ROOT / page).is_file()] == []


def statements(path):
    """Every statement of a module that holds no other, without docstrings, as text."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in nodes(path):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and not docstring:
            yield "\n".join(lines[node.lineno - 1 : node.end_lineno])


def test_errors_of_the_library_name_keys_and_leave_options_to_the_command_line():
    """Whole commands may be named, and pages say what to type."""
    command = re.compile(r"\b(brainwavlm|git|ray) ?")
    optional = re.compile(r"(?<![\w-])--[a-z]")
    places = [
        f"{name_of(path)}: {statement}"
        for path in modules()
        if name_of(path).split(".")[0] != "cli" and not name_of(path).startswith("reporting.page")
        for statement in statements(path)
        if optional.search(statement) and not command.search(statement)
    ]
    assert places == []


# Where locals are called by what they are; folders come here once they are clean.
NAMED = {"encoding", "speech", "stimulus", "datasets", "config", "runs", "checks", "compute"}
NAMED |= {"files", "formatting", "study", "cli"}


def test_no_local_is_called_found():
    """A difference, a test, a list of charts: a name says which."""
    places = {
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        if name_of(path).split(".")[0] in NAMED
        for function in nodes(path)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == "found"
    }
    assert places == set()


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for some in project["optional-dependencies"].values() for name in some]
    declared = {re.split(r"[>=\[]", one)[0].lower() for one in [*project["dependencies"], *extras]}
    imported = set()
    for path in modules():
        for node in nodes(path):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            imported |= {name.partition(".")[0] for name in names}
    known_as = {"sklearn": "scikit-learn", "yaml": "pyyaml", "cortex": "pycortex"}
    known_as |= {"mpl_toolkits": "matplotlib", "parselmouth": "praat-parselmouth"}
    known_as["triton"] = "torch"  # torch for CUDA brings it
    of_others = imported - set(sys.stdlib_module_names) - {"brainwavlm"}
    assert {known_as.get(name, name) for name in of_others} - declared == set()
