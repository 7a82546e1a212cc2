"""What README and docs show is what works: code blocks run, pages are current, links lead somewhere."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language):
    for page in PAGES:
        for found, code in BLOCK.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield pytest.param(code, id=f"{page.stem}-{code.split(chr(10))[0][:40]}")


@pytest.fixture
def workplace(tmp_path, monkeypatch, tree):
    """A folder with the reader's own data set `my-data`."""
    (tmp_path / "my-data").symlink_to(tree)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("code", list(blocks("python")))
def test_python_in_the_docs_runs(code, workplace, monkeypatch, capsys):
    import brainwavlm
    import brainwavlm.study.cells  # before load_config is replaced: what imports it later would keep the other

    load = brainwavlm.load_config
    few = {"training.epochs": 1, "evaluation.shifts": 20, "evaluation.bootstraps": 100}

    def quick(path=None, preset=None, overrides=None):
        return load(path, preset, {**(overrides or {}), **few})

    monkeypatch.setattr("brainwavlm.config.load_config", quick)
    exec(compile(code, "docs", "exec"), {})


@pytest.mark.parametrize("code", list(blocks("bash")))
def test_commands_in_the_docs_run(code, workplace, brainwavlm, small_settings, tiny_wavlm):
    """As they stand, but for a speech model that is here and a run of one epoch."""
    here = [
        "backbone.layer=3",
        "windows.stride=1.0",
        "training.epochs=1",
        "device=cpu",
        "evaluation.shifts=20",
    ]
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[0] != "brainwavlm":
            continue
        extra = [word for setting in [*here, f"backbone.name={tiny_wavlm}"] for word in ("--set", setting)]
        done = brainwavlm(*words[1:], *(extra if words[1] in ("plan", "tune") else []))
        assert done.code == 0, (line, done.err)


def test_the_page_of_settings_is_current():
    path = ROOT / "tools" / "write_configuration_page.py"
    spec = importlib.util.spec_from_file_location("write_configuration_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), f"run python {path.relative_to(ROOT)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_changelog_and_the_citation_know_the_version():
    import brainwavlm

    for name in ("CITATION.cff", "pyproject.toml"):
        assert brainwavlm.__version__ in (ROOT / name).read_text(encoding="utf-8")
