"""Figures for papers as files: size, fonts, style, bytes; and what is refused, with nothing left behind."""

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps, rcParams
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from brainwavlm.errors import BrainwavlmError, ConfigError
from brainwavlm.reporting.figures import KINDS, Choice, draw_figure, write_figure
from brainwavlm.reporting.figures.drawing import _save
from brainwavlm.reporting.figures.style import COLOURS, GROUPS, OTHER, read_style, shipped_style
from tests.made_up import fake_comparison, fake_evaluation, fake_transfer


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    return fake_evaluation(folder, 40, simulated=False, runs=(("one", "cortex"),))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return fake_evaluation(tmp_path_factory.mktemp("simulated"), 40, runs=(("one", "cortex"),))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_a_full_disk_is_told_as_one_by_every_format(simulated, suffix):
    figure = draw_figure("scatter", simulated).figure
    with pytest.raises(OSError, match="No space left"):
        _save(figure, Path("/dev/full"), suffix, read_style(None))


def test_sizes_are_in_millimetres_and_the_same_input_gives_the_same_bytes(simulated, tmp_path):
    content = {}
    for suffix in ("svg", "pdf", "png"):
        paths = (tmp_path / f"{name}.{suffix}" for name in ("first", "again"))
        drawings = (write_figure("scatter", simulated, path, width=100, height=50) for path in paths)
        first, again = ([path.read_bytes() for path in both] for both in drawings)
        assert first == again
        assert b"20" + b"26-" not in first[0]  # no date
        content[suffix] = first[0]
    text = content["svg"].decode()  # text is text, and marks have their ids
    for part in ('id="voxels:0:AC"', 'id="diagonal:0"', ">frozen model, test r<", ">SIMULATED<"):
        assert part in text
    assert b"/FontFile2" in content["pdf"]  # its font is inside, as TrueType
    assert b"/CIDFontType2" in content["pdf"]
    assert b"/Type3" not in content["pdf"]
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content["pdf"])
    assert [float(side) / 72 * 25.4 for side in box.groups()] == pytest.approx([100, 50], abs=0.01)
    assert imread(tmp_path / "first.png").shape[:2] == tuple(int(mm / 25.4 * 400) for mm in (50, 100))
    width = draw_figure("learning", simulated).figure.get_size_inches()[0]
    assert width * 25.4 == pytest.approx(85, abs=0.02)


@pytest.mark.parametrize("kind", ["scatter", "learning", "maps", "seeds", "transfer"])
def test_the_word_simulated_stands_on_a_figure_exactly_when_it_is(simulated, measured, tmp_path, kind):
    fake = {"seeds": fake_comparison, "transfer": fake_transfer}.get(kind)
    choice = Choice(quantity="tuned" if kind == "maps" else ())
    for evaluation, expected in ((simulated, True), (measured, False)):
        folder = fake(tmp_path / str(expected), simulated=expected) if fake else evaluation
        drawing = draw_figure(kind, folder, choice, width=120)
        says = any(text.get_text() == "SIMULATED" for text in drawing.figure.texts)
        assert says is drawing.simulated is expected


def test_tables_and_values_say_simulated(simulated, measured, tmp_path):
    for folder, expected in ((simulated, True), (measured, False)):
        path, values = write_figure("table", folder, tmp_path / "table.tex")
        assert ("SIMULATED" in path.read_text(encoding="utf-8")) is expected
        assert (pd.read_csv(values)["simulated"] == expected).all()


def test_entries_of_a_style_file_replace_those_of_the_package_and_nothing_else(
    simulated, tmp_path, monkeypatch
):
    monkeypatch.setitem(rcParams, "axes.facecolor", "red")  # a reader's own settings, which figures ignore
    before = dict(rcParams)
    style = tmp_path / "mine.mplstyle"
    style.write_text('axes.labelsize: 11\nbrainwavlm.tuned: "#123456"\nfont.family: DejaVu Serif\n')
    own, shipped = read_style(style), shipped_style()
    changed = {key for key, value in own.settings.items() if shipped.settings.get(key) != value}
    assert changed == {"axes.labelsize", "font.family"}
    assert own.colours == {**shipped.colours, "tuned": "#123456"}
    path, _ = write_figure("learning", simulated, tmp_path / "f.svg", style=style)
    content = path.read_text(encoding="utf-8")
    for part in ("#123456", "DejaVu Serif", "11px"):
        assert part in content
    for part in ("DejaVu Sans", "#ff0000"):
        assert part not in content
    assert dict(rcParams) == before


def test_colours_of_the_interactive_charts_are_those_of_the_style_file():
    colours = [entry["color"] for entry in shipped_style().settings["axes.prop_cycle"]]
    assert colours[: len(GROUPS)] == list(GROUPS)
    assert COLOURS["other"] == OTHER


# Machado, Oliveira, Fernandes 2009, full severity, on linear light.
PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


def seen(colours, kind):
    rgb = np.asarray(colours, float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if kind:
        linear = np.clip(linear @ np.array(kind).T, 0, 1)
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 0.008856))
    return np.column_stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


@pytest.mark.parametrize("kind", [None, PROTAN, DEUTAN], ids=["none", "protan", "deutan"])
def test_colour_blind_people_tell_the_colours_apart(kind):
    style = shipped_style()
    groups = seen([to_rgb(colour) for colour in GROUPS], kind)
    for one in range(len(groups)):
        for other in range(one):
            assert np.linalg.norm(groups[one] - groups[other]) > 12
    steps = np.linspace(0, 1, 64)
    lightness = seen(colormaps[style.colours["correlation"]](steps)[:, :3], kind)[:, 0]
    assert (np.diff(lightness) > 0).all()
    ends = seen(colormaps[style.colours["difference"]](steps)[:, :3], kind)
    assert np.linalg.norm(ends - ends[::-1], axis=1)[[0, 8, 16, 24]].min() > 20


REFUSED = [
    ("scatter", {"output": "f.jpg"}, "ends in '.jpg'", ".pdf, .svg, .png"),
    ("scatter", {"output": "f"}, "without a suffix", "-o f.pdf"),
    ("scatter", {"output": ".svg"}, "", "Name it -o"),
    ("scatter", {"output": ".."}, "", "Name it -o"),
    ("pie", {}, "kind: 'pie'", "maps, scatter"),
    ("transfer", {}, "the folder of an evaluation", "brainwavlm transfer RUN..."),
    ("table", {"output": "f.pdf"}, "ends in '.pdf'", ".tex, .csv"),
    ("scatter", {"choice": {"q": 0.05}}, "q: given for scatter", "run, target"),
    ("scatter", {"choice": {"run": ("two",)}}, "run: 'two'", "one of one"),
    ("scatter", {"choice": {"target": ("V1",)}}, "target: 'V1'", "cortex, AC"),
    ("maps", {"choice": {"quantity": ("better",)}}, "quantity: 'better'", "'frozen', 'tuned'"),
    ("maps", {"choice": {"view": "sphere"}}, "view: 'sphere'", "'inflated', 'pial' or 'flat'"),
    ("maps", {"choice": {"q": 0}}, "q: 0", "greater than 0"),
    ("learning", {"choice": {"title": "very long " * 9}}, "title: 90 letters on 85 mm", "up to"),
    ("learning", {"width": 3}, "width: 3 mm", "20 to 2000"),
    ("learning", {"height": 21, "width": 21}, "21 x 21 mm", "room for the axes"),
    ("scatter", {"choice": {"title": "two\nlines"}}, "title", "one line"),
    ("maps", {"height": 25}, "height: 25 mm", "room for the brains"),
]


@pytest.mark.parametrize(("kind", "given", "found", "expected"), REFUSED)
def test_what_is_refused_says_why_and_leaves_nothing(measured, tmp_path, kind, given, found, expected):
    out = tmp_path / "out"
    out.mkdir()
    given = {"output": "f.pdf", **given}
    with pytest.raises(BrainwavlmError) as error:
        write_figure(kind, measured, out / given.pop("output"), Choice(**given.pop("choice", {})), **given)
    assert found in str(error.value)
    assert expected in str(error.value)
    assert list(out.iterdir()) == []


def test_a_folder_of_another_command_is_named_with_what_to_do(others, tmp_path, measured):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    for kind, folder, found, remedy in (
        ("scatter", others["comparison"], "the folder of a comparison", "seeds"),
        ("seeds", others["transfer"], "the folder of a transfer", "brainwavlm compare RUN..."),
        ("seeds", measured, "the folder of an evaluation", "maps, scatter"),
        ("scatter", run, "a run without an evaluation", f"brainwavlm evaluate {run}"),
        ("transfer", run, "a run without a transfer", f"brainwavlm transfer {run}"),
        ("scatter", tmp_path / "nowhere", "no such folder", "brainwavlm evaluate"),
        ("claims", tmp_path, "nothing that this program wrote", "brainwavlm study run"),
    ):
        with pytest.raises(BrainwavlmError) as error:
            draw_figure(kind, folder)
        assert str(error.value).startswith(str(folder))
        assert found in str(error.value)
        assert remedy in str(error.value)


def test_a_figure_is_replaced_whole_and_no_other_table_and_no_result(simulated, tmp_path):
    folder = shutil.copytree(simulated, tmp_path / "evaluation")
    out = tmp_path / "out"
    out.mkdir()
    (out / "f.pdf").write_text("old")
    target, values = write_figure("histogram", folder, out / "f.pdf")
    before = target.read_bytes(), values.read_bytes()
    assert before[0].startswith(b"%PDF")
    (out / "mine.csv").write_text("a,b\n1,2\n")
    for kind, name in (("histogram", "mine.pdf"), ("table", "mine.csv")):
        with pytest.raises(BrainwavlmError, match=r"mine\.csv: another table is here"):
            write_figure(kind, folder, out / name)
    assert (out / "mine.csv").read_text() == "a,b\n1,2\n"
    table = (folder / "table.csv").read_bytes()
    for name in ("table.tex", "table.csv", "voxels.csv"):
        with pytest.raises(BrainwavlmError, match="a file of the result itself"):
            write_figure("table", folder, folder / name)
    assert (folder / "table.csv").read_bytes() == table
    assert not (folder / "table.tex").exists()
    voxels = folder / "voxels.csv.gz"
    voxels.write_bytes(
        gzip.compress(gzip.decompress(voxels.read_bytes()).replace(b"sim01,3,", b"sim01,three,", 1))
    )
    with pytest.raises(BrainwavlmError, match=re.escape(str(voxels))):
        write_figure("histogram", folder, target)
    assert (target.read_bytes(), values.read_bytes()) == before
    assert sorted(path.name for path in out.iterdir()) == ["f.csv", "f.pdf", "mine.csv"]


@pytest.mark.parametrize(
    ("text", "found", "remedy"),
    [
        ("font.sise: 8", "unknown key font.sise", "Did you mean font.size?"),
        ("brainwavlm.tunned: red", "unknown key brainwavlm.tunned", "Did you mean brainwavlm.tuned?"),
        ("colours: {tuned: red}", "unknown key colours", "docs/how-to/figures.md"),
        ("font.size: large", "font.size = 'large'", "docs/how-to/figures.md"),
        ("figure.dpi: 99999", "figure.dpi = 99999", "docs/how-to/figures.md"),
        ("brainwavlm.tuned: reddish", "brainwavlm.tuned = 'reddish'", "docs/how-to/figures.md"),
        ("brainwavlm.correlation: rainbows", "brainwavlm.correlation = 'rainbows'", "docs/how-to/figures.md"),
        ("font.family: No Such Font", "font.family = 'No Such Font'", "a font that is installed"),
        ("font.family: DejaVu Sans:bold", "font.family = 'DejaVu Sans:bold'", "a font that is installed"),
        ("text.color: none", "text.color = 'none'", "a colour that can be seen"),
        ("font.size: 7\nfont.size: 8", "font.size a second time", "Mend"),
        ("[1, 2]", "", ""),
    ],
)
def test_a_style_that_cannot_be_used_is_refused(tmp_path, text, found, remedy):
    path = tmp_path / "mine.mplstyle"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrainwavlmError) as error:
        read_style(path)
    assert str(error.value).startswith(str(path))
    assert found in str(error.value)
    assert remedy in str(error.value)


def test_without_a_surface_there_is_no_map_but_what_needs_none(tmp_path):
    folder = fake_evaluation(tmp_path, 40, surface="")
    with pytest.raises(BrainwavlmError, match="no map of sim01") as error:
        draw_figure("maps", folder)
    assert "scatter" in str(error.value)
    assert len(draw_figure("scatter", folder).values) == 80


def test_names_that_look_like_formulas_stand_as_they_are(tmp_path):
    names = ("$x_{", r"\frac{1}")
    folder = fake_comparison(tmp_path / "c", names=names)
    path, values = write_figure("seeds", folder, tmp_path / "f.svg", Choice(title="$bad_{"))
    text = path.read_text(encoding="utf-8")
    assert all(f">{name}<" in text for name in (*names, "$bad_{"))
    assert set(pd.read_csv(values)["group"]) == set(names)


def test_the_command_prints_its_files_and_ends_with_2_where_it_cannot(simulated, tmp_path, brainwavlm):
    given = ["scatter", simulated, "--output", tmp_path / "f.pdf", "--width", 100, "--target", "AC"]
    done = brainwavlm("figure", *given)
    assert (done.out, done.err) == (f"{tmp_path / 'f.pdf'}\n{tmp_path / 'f.csv'}\n", "")
    assert set(pd.read_csv(tmp_path / "f.csv")["group"]) == {"AC", "other voxels"}
    done = brainwavlm("figure", "seeds", simulated, "-o", tmp_path / "g.pdf", code=2)
    assert done.out == ""
    found = "the folder of an evaluation.\n    Expected that of a comparison"
    assert done.err.startswith(f"{simulated}: {found}")
    assert not (tmp_path / "g.pdf").exists()


def test_the_docs_name_every_kind_and_their_style_can_be_used(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "figures.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"| `{kind}` |" in page
    style = tmp_path / "mine.mplstyle"
    style.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert read_style(style).settings["font.size"] == 8
    assert all(f"`brainwavlm.{name}`" in page for name in shipped_style().colours)


def test_a_style_wider_than_any_page_is_refused(simulated, tmp_path):
    style = tmp_path / "mine.mplstyle"
    style.write_text("figure.figsize: 1.0e+9, 2\n")
    with pytest.raises(ConfigError, match="width"):
        write_figure("scatter", simulated, tmp_path / "a.svg", style=style)
