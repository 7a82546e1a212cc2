"""Wrong words on the command line end with exit code 2 and the next step in the user's words, and leave nothing."""

import json
import shlex
import shutil

import pytest
import yaml
from typer.main import get_command

from brainwavlm.cli import app
from brainwavlm.speech.hidden_states import Backbone

RIDGE = (
    "ridge TREE --subject anna --backbone MODEL --layer 1 --frame mean --device cpu --context 1 --output x"
)
REFUSALS = [
    ("nonsense", "No such command"),
    ("tune", "--output"),
    ("compare", "runs"),
    ("ridge --set dataset=TREE --output x", "DATASET: missing.\n    Expected Folder of a data set"),
    ("partition RUN --features mel --candidates 1.5", "--candidates: '1.5'.\n    Expected a valid integer"),
    ("partition RUN --features mel --candidates 1.5", "partition --help"),
    ("partition RUN --features mel --candidates 0", "--candidates: 0.\n    Expected one or more"),
    ("tune --stride 1", "brainwavlm tune: No such option: --stride"),
    ("study run", "FILE: missing"),
    # paths
    ("tune nowhere.yaml --output x", "no such file"),
    *((f"{command} nowhere", "no run.json") for command in ("evaluate", "compare", "transfer", "show")),
    *((f"{command} nowhere", "nowhere") for command in ("report", "check", "targets")),
    ("compare RUN RUN", "2 runs, 1 different"),
    *(
        (f"{one} RUN --output RUN", "a folder with other files")
        for one in ("evaluate", "compare", "transfer")
    ),
    # what cannot be written to
    *(
        (f"{command} --output /proc/x", "--output: /proc/x cannot be written to")
        for command in (
            *("tune --preset demo", "features TREE", "ridge TREE", "compare RUN", "transfer RUN"),
            *("evaluate RUN", "probe RUN --features mel", "partition RUN --features mel"),
        )
    ),
    *(
        (f"{command} CONFIG", f"{command.split()[-1]}: /")
        for command in (
            *(f"{RIDGE} --features", "transfer RUN --features", "evaluate RUN --features"),
            *(f"{command} RUN --features mel --cache" for command in ("probe", "partition")),
        )
    ),
    ("study run nowhere.yaml --output out", "Give its path, e.g. studies/demo.yaml"),
    ("study run . --output out", "a folder.\n    Expected the YAML file of a study"),
    ("study status nowhere", "no study.json"),
    # keys and values of a configuration, by the option that sets them
    ("tune --preset paper --output x", "--subject: subject is not set"),
    ("tune --preset papper --output x", "--preset: 'papper'\n    Expected one of paper, authors-2026"),
    ("tune --preset demo --set epochs=3 --output x", "Did you mean training.epochs?"),
    ("tune --preset demo --set nonsense --output x", "--set: 'nonsense'\n    Expected key=value"),
    ("tune --preset demo --set training.epochs=-1 --output x", "--set training.epochs=VALUE"),
    (f"{RIDGE} --stride 0", "--stride: 0.0"),
    (f"{RIDGE} --set dataset=other", "--set: dataset=other, beside "),
    (f"{RIDGE} --set backbone.layer=2", "--set: backbone.layer=2, beside 1 for the same"),
    (f"{RIDGE} --stride 1 --frame middle", "--frame: 'middle'"),
    (f"{RIDGE} --stride 1 --memory 1MB", "--memory: 0.001 GB for a design of"),
    (f"{RIDGE} --memory much", "--memory: 'much'\n    Expected an amount of memory, e.g. 8GB"),
    ("plan CONFIG --set train_minutes=0.1", "the first story in the order of seed 0"),
    ("targets TREE anna --subject ben", "one subject"),
    ("targets TREE anna --set 'regions.cortex=[LH]'", "other than cortex, LH, RH and ceiling"),
    ("targets TREE anna --set 'regions={a-b: [LH]}'", "letters, digits and _"),
    ("targets TREE anna --set regions.mine=LH", "tuple"),
    ("tune --resume --output RUN --joint ben", "another config than asked for: joint"),
    ("tune --resume --output RUN --seed 9", "another config than asked for: seed"),
    # options of one command
    ("evaluate RUN --layers some", "all, or whole numbers"),
    ("evaluate RUN --layers 77", "--layers: 77.\n    Expected hidden states from 0 to 4"),
    ("evaluate RUN --downstream music", "--downstream: 'music'"),
    ("probe RUN --features MEL", "--features: 'MEL'.\n    Expected some of mel"),
    ("probe RUN --features mel --controls chance", "--controls: 'chance'"),
    ("probe RUN --features dimenson", "Did you mean dimension?"),
    ("probe RUN --features stretches=CONFIG", "a name that is taken"),
    ("partition RUN --features foo=", "--features: foo=.\n    Expected NAME=FILE"),
    ("downstream RUN --task words -o out", "--data"),
    ("transfer RUN --minutes few", "numbers with commas"),
    ("transfer RUN --minutes 0", "--minutes: 0 minutes.\n    Expected more than 0"),
    ("transfer RUN --subject carla", "--subject: 'carla' is not in"),
    ("figure learning RUN --output x.pdf --width 3", "--width: 3 mm"),
    ("demo --subject nobody --output x", "sim01"),
    ("figure nothing RUN --output x.pdf", "KIND: 'nothing'"),
    (
        "study run STUDY --output out --engine slurm",
        "--engine: 'slurm'.\n    Expected input should be 'local'",
    ),
    ("study run STUDY --output out --workers 0 --dry-run", "--workers: 0"),
    ("study run STUDY --output out --set seed=3", "seed: varied by experiment methods"),
    ("study run STUDY --output out --set sead=3", "Did you mean seed?"),
    ("study run STUDY --output out --only method", "--only: 'method'\n    Expected one of methods"),
]


@pytest.fixture(scope="module")
def places(finished, settings, tree, tiny_wavlm, tmp_path_factory):
    """What the words of a line in capital letters stand for."""
    folder = tmp_path_factory.mktemp("places")
    base = settings().model_dump(mode="json", exclude_defaults=True)
    (folder / "run.yaml").write_text(json.dumps(base))
    grid = {"adapter.method": ["lora", "frozen"], "seed": [0]}
    study = {"format": 1, "name": "small", "base": base, "experiments": {"methods": {"grid": grid}}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return {
        "RUN": shutil.copytree(finished().path, folder / "run"),
        "TREE": tree,
        "MODEL": tiny_wavlm,
        "CONFIG": folder / "run.yaml",
        "STUDY": folder / "study.yaml",
    }


@pytest.mark.parametrize(("line", "words"), REFUSALS)
def test_wrong_words_end_with_two_and_the_next_step_and_leave_nothing(
    brainwavlm, places, tmp_path, monkeypatch, line, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Backbone, "trunk", lambda *_: pytest.fail("ran a model"))
    before = sorted(places["RUN"].rglob("*"))
    done = brainwavlm(*[places.get(word, word) for word in shlex.split(line)], code=2)
    assert words in done.out + done.err
    assert list(tmp_path.iterdir()) == []
    assert sorted(places["RUN"].rglob("*")) == before


def test_a_run_is_resumed_with_its_own_options(brainwavlm, places):
    brainwavlm("tune", "--resume", "--output", places["RUN"])


def test_ridge_leaves_a_folder_with_other_files_alone(brainwavlm, places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    names = ["scores.csv", "thesis.tex"]
    for name in names:
        (tmp_path / "x" / name).write_text("years of work")
    done = brainwavlm(*[places.get(word, word) for word in RIDGE.split()], code=2)
    assert "--output: x is a folder with other files" in done.err
    assert "scores.csv, summary.json" in done.err
    left = {path.name: path.read_text() for path in (tmp_path / "x").iterdir()}
    assert left == dict.fromkeys(names, "years of work")


def test_no_line_of_the_help_is_cut_at_80_columns():
    command = get_command(app)
    with command.make_context(
        "brainwavlm", ["check", "x"], max_content_width=80, terminal_width=80
    ) as context:
        text = command.get_help(context)
    assert "  transfer  " in text
    assert [line for line in text.splitlines() if line.endswith("...") and "COMMAND" not in line] == []
    assert max(map(len, text.splitlines())) <= 80
