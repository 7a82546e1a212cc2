"""The tutorial runs from top to bottom; as it is committed it holds no outputs."""

import ast
import re
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
# Warnings of Jupyter's own packages, in this process; the kernel has its own filters.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def notebook():
    return nbformat.read(TUTORIAL, as_version=4)


def test_it_is_committed_as_readers_should_find_it(notebook):
    """Without outputs or places of a machine, with words before each code cell and links that lead somewhere."""
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)
    assert re.findall(r"/(?:home|root|Users|tmp|work)\b", TUTORIAL.read_text(encoding="utf-8")) == []
    assert "**The responses are simulated.**" in notebook.cells[0].source
    links = [link for cell in notebook.cells for link in re.findall(r"\]\(([^)]+)\)", cell.source)]
    assert len(links) > 4
    assert [link for link in links if not (TUTORIAL.parent / link).exists()] == []
    kinds = [cell.cell_type for cell in notebook.cells]
    assert [n for n, kind in enumerate(kinds) if kind == "code" and kinds[n - 1] != "markdown"] == []


@pytest.mark.usefixtures("runs_are_small")
def test_every_cell_runs(notebook, tmp_path, monkeypatch):
    """In this process, on the small data set; what a cell ends with is shown as a notebook shows it."""
    made = tempfile.mkdtemp  # the program tries folders with it
    monkeypatch.setattr(
        "tempfile.mkdtemp", lambda *some, **more: made(*some, **more) if some else str(tmp_path)
    )
    names, pages = {}, []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            *statements, last = ast.parse(cell.source).body
            exec(compile(ast.Module(statements, []), "tutorial", "exec"), names)
            if isinstance(last, ast.Expr):
                shown = eval(compile(ast.Expression(last.value), "tutorial", "eval"), names)
                pages.append(shown._repr_html_() if hasattr(shown, "_repr_html_") else str(shown))
            else:
                exec(compile(ast.Module([last], []), "tutorial", "exec"), names)
    assert sum("SIMULATED RESPONSES" in page for page in pages) >= 4  # run, scores, maps, comparison
    assert any('src="data:image/png;base64,' in page for page in pages)
    assert (tmp_path / "report.html").stat().st_size > 1e5
    assert (tmp_path / "maps" / "tuned-on-AC" / "maps.json").is_file()
    assert (tmp_path / "tuned-on-cortex" / "result.json").is_file()


@pytest.mark.slow
def test_as_it_stands_tuning_on_auditory_cortex_helps_there(notebook, tmp_path):
    """In a real kernel."""
    # Outputs that people would keep are made in the reader's own folder; here that is the test's.
    notebook.cells[1].source = notebook.cells[1].source.replace(
        "mkdtemp(", f"mkdtemp(dir={str(tmp_path)!r}, "
    )
    NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = [output["text"] for output in outputs if output.output_type == "stream"]
    # Without ipywidgets, which the tests do not need, tqdm says once that it draws its bars as text.
    assert [text for text in said if "Warning" in text and "IProgress" not in text] == []
    cell = next(cell for cell in notebook.cells if cell.source.startswith("scores.table"))
    table = cell.outputs[0]["data"]["text/plain"]
    row = next(line.split() for line in table.splitlines() if line.startswith("AC "))
    assert float(row[2]) > float(row[1])  # tuned above frozen
