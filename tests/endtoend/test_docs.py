"""What README and docs show is what works: code blocks run, pages are current, links lead somewhere."""

import importlib.util
import re
import runpy
import shlex
import shutil
from pathlib import Path
from typing import get_args

import pytest

import brainwavlm as package
from brainwavlm.config import ControlKind
from brainwavlm.encoding.losses import LOSSES
from brainwavlm.evaluation.speech_tasks import synthesis
from brainwavlm.stimulus.features.table import FEATURES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language):
    for page in PAGES:
        for found, code in BLOCK.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield pytest.param(code, id=f"{page.stem}-{code.split(chr(10))[0][:40]}")


@pytest.fixture
def workplace(tmp_path, monkeypatch, tree, demo_is_small):
    """A folder with the reader's own data set `my-data`, and a sound."""
    (tmp_path / "my-data").symlink_to(tree)
    (tmp_path / "talk.wav").symlink_to(tree / "stimuli" / "market.wav")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("runs_are_small")
@pytest.mark.parametrize("code", list(blocks("python")))
def test_python_in_the_docs_runs(code, workplace, capsys):
    (workplace / "my-data").unlink()  # a page makes it
    exec(compile(code, "docs", "exec"), {})


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Runs that several blocks begin with, by what made them: each is tuned and evaluated once."""
    folder = tmp_path_factory.mktemp("kept")
    return lambda words: folder / re.sub(r"\W", "-", " ".join(words))


# What the stories of 30 s are too short for.
SHORTER = {"train_minutes=5": "train_minutes=0.5", "5,10": "0.4", "0,2,3": "0,2"}


@pytest.mark.usefixtures("work_is_done_once")
@pytest.mark.parametrize("code", list(blocks("bash")))
def test_commands_in_the_docs_run(code, workplace, brainwavlm, small, kept, monkeypatch):
    """One after the other, as they stand but for smaller data, a smaller speech model and one epoch."""
    # Rounds, whose number test_speech_tasks looks at.
    monkeypatch.setattr(synthesis.vocoded, "__defaults__", (2,))
    # Probes need 50 stretches in the test stories.
    finer = {"windows.stride": 1.0} if "brainwavlm probe " in code else {}
    extra = [word for key, value in (small | finer).items() for word in ("--set", f"{key}={value}")]
    few = {"plan": extra, "tune": extra, "partition": ["--candidates", "2"]}
    few |= {"downstream": ["--seeds", "1", "--epochs", "1"]}
    run, made = None, []  # the last run, and what made it
    for line in code.splitlines():
        words = [SHORTER.get(word, word) for word in shlex.split(line, comments=True)]
        if not words or words[0] != "brainwavlm":
            continue
        if words[1:3] == ["tune", "--preset"]:
            run, made = words[-1], [*finer, *words[1:-1]]
        elif made and words[1:] in (["evaluate", run], ["evaluate", run, "--layers", "all"]):
            made = [*made, *words[1:]]
        else:
            made = []
        if made and kept(made).exists():
            shutil.copytree(kept(made), run, dirs_exist_ok=True)
            continue
        brainwavlm(*words[1:], *few.get(words[1], []))
        if made:
            shutil.copytree(run, kept(made))


# A study works in processes of its own, which know of no small data set.
@pytest.mark.parametrize(
    "name", [pytest.param("study", marks=pytest.mark.slow), *sorted(EXAMPLES.keys() - {"study"})]
)
@pytest.mark.usefixtures("runs_are_small")
def test_the_examples_draw_their_pictures(name, workplace):
    """On the small data set; the pictures that are shown are of the embedded one (`make examples`)."""
    import matplotlib

    matplotlib.use("agg")
    runpy.run_path(str(EXAMPLES[name]))
    matplotlib.pyplot.close("all")
    assert (workplace / f"{name}.webp").stat().st_size > 1000
    assert (ROOT / "examples" / "images" / f"{name}.webp").is_file()


def test_the_gallery_shows_every_example_and_its_pictures_are_small():
    gallery = ROOT / "examples" / "README.md"
    assert set(re.findall(r"\]\((\w+)\.py\)", gallery.read_text(encoding="utf-8"))) == EXAMPLES.keys()
    assert sum(path.stat().st_size for path in gallery.parent.glob("images/*")) < 1_000_000


@pytest.mark.parametrize("name", ["configuration", "commands", "api"])
def test_a_page_that_is_written_by_a_tool_is_current(name):
    path = ROOT / "tools" / f"write_{name}_page.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), f"run python {path.relative_to(ROOT)}"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("controls", get_args(ControlKind)),
        ("experiments", [f"loss.{name}" for name in LOSSES]),
        ("probes", FEATURES),
    ],
)
def test_what_can_be_chosen_has_a_row_in_its_guide(page, names):
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


def test_links_between_files_lead_somewhere():
    links = [
        (page.name, link)
        for page in PAGES
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert links == []


def test_the_changelog_and_the_citation_know_the_version():
    for name in ("CITATION.cff", "pyproject.toml"):
        assert package.__version__ in (ROOT / name).read_text(encoding="utf-8")
