"""The tutorial runs from top to bottom in a real kernel; as it is committed it holds no outputs."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
# Few stories and one epoch: every cell does what it does in full, on less.
FEW = {
    "training.epochs": 1,
    "windows.context": 1.0,
    "windows.stride": 2.0,
    "evaluation.shifts": 20,
    "evaluation.bootstraps": 100,
    "train": ["bees", "dog", "ferry"],
    "validation": ["chess"],
    "test": ["museum"],
}
# Warnings of Jupyter's own packages, in this process; the kernel has its own filters.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(TUTORIAL, as_version=4)


def executed(notebook, folder, settings=None):
    """A copy with its outputs; `settings` are added in a cell after the one that sets them."""
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    at = next(n for n, cell in enumerate(copy.cells) if "settings = {" in cell.source)
    if settings:
        source = (
            f"settings |= {settings!r}\nconfig = brainwavlm.load_config(preset='demo', overrides=settings)"
        )
        copy.cells.insert(at + 1, nbformat.v4.new_code_cell(source))
    # Outputs that people would keep are made in the reader's own folder; here that is the test's.
    copy.cells[1].source = copy.cells[1].source.replace("mkdtemp(", f"mkdtemp(dir={str(folder)!r}, ")
    NotebookClient(copy, timeout=900, kernel_name="python3").execute()
    return copy


def shown(notebook, kind):
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


def test_it_is_committed_without_outputs_and_without_places_of_a_machine(notebook):
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
    assert re.findall(r"/(?:home|root|Users|tmp|work)\b", TUTORIAL.read_text(encoding="utf-8")) == []


def test_it_says_on_the_first_screen_that_responses_are_simulated(notebook):
    assert "**The responses are simulated.**" in notebook.cells[0].source


def test_its_links_lead_somewhere(notebook):
    links = [link for cell in notebook.cells for link in re.findall(r"\]\(([^)]+)\)", cell.source)]
    assert len(links) > 4
    assert [link for link in links if not (TUTORIAL.parent / link).exists()] == []


def test_each_code_cell_has_words_before_it(notebook):
    kinds = [cell.cell_type for cell in notebook.cells]
    assert [n for n, kind in enumerate(kinds) if kind == "code" and kinds[n - 1] != "markdown"] == []


def test_every_cell_runs_on_few_stories(notebook, tmp_path):
    done = executed(notebook, tmp_path, FEW)
    pages = shown(done, "text/html")
    assert sum("SIMULATED RESPONSES" in page for page in pages) >= 4  # run, scores, maps, comparison
    assert any('src="data:image/png;base64,' in page for page in pages)
    (folder,) = tmp_path.iterdir()
    assert (folder / "report.html").stat().st_size > 1e6
    assert (folder / "maps" / "tuned-on-AC" / "maps.json").is_file()
    assert (folder / "tuned-on-cortex" / "result.json").is_file()
    said = [
        output["text"]
        for cell in done.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    ]
    # Without ipywidgets, which the tests do not need, tqdm says once that it draws its bars as text.
    assert [text for text in said if "Warning" in text and "IProgress" not in text] == []


@pytest.mark.slow
def test_as_it_stands_tuning_on_auditory_cortex_helps_there(notebook, tmp_path):
    done = executed(notebook, tmp_path)
    cell = next(cell for cell in done.cells if cell.source.startswith("scores.table"))
    table = cell.outputs[0]["data"]["text/plain"]
    row = next(line.split() for line in table.splitlines() if line.startswith("AC "))
    assert float(row[2]) > float(row[1])  # tuned above frozen
