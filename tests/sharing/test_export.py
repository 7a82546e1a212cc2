"""An exported run predicts what the run does, says what it is, and a flipped bit does not go unnoticed."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
import yaml

from brainwavlm.datasets import load_dataset
from brainwavlm.encoding import run_model
from brainwavlm.encoding.run_model import tuned_backbone, tuned_readout
from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import BrainwavlmError, ConfigError, RunError
from brainwavlm.evaluation.evaluator import Evaluator, with_whole_cortex
from brainwavlm.models import export, load, verify
from brainwavlm.models.card import base_licence
from brainwavlm.runs.run import open_run
from brainwavlm.runs.sums import write_sums
from tests.encoding.loops import KillAt, Killed


@pytest.fixture(scope="module")
def exported(finished, features, saved, tmp_path_factory):
    """`exported("run")`: folder of a run's export, made once, and the run."""
    folders = {}

    def folder(name="run", options=(), kind="wavlm", **overrides):
        if name not in folders:
            if kind != "wavlm":
                overrides["backbone__name"] = str(saved(kind))
            run = finished(**overrides)
            folders[name] = (
                export(run, tmp_path_factory.mktemp("exported") / name, cache=features, **dict(options)),
                run,
            )
        return folders[name]

    return folder


@pytest.fixture
def own(exported, tmp_path):
    """A copy of an export that a test may change."""
    return shutil.copytree(exported()[0], tmp_path / "own")


STREAM = {"windows__mode": "stream", "windows__chunk": 4.0, "windows__lookahead": 0.5, "backbone__layer": 2}
FORMS = {
    "run": {},
    "adapter": {"options": (("adapter", True),)},
    "full": {"adapter__method": "full", "windows__frontend": "shared", "quirks__clip_kernel": True},
    "whisper": {"kind": "whisper", "options": (("trim", True),)},
    "wavlm-large": {"kind": "wavlm-large", "options": (("trim", True),), "adapter__method": "reinit"},
    "stream": {
        **STREAM,
        "options": (("trim", True),),
        "readout__kind": "linear",
        "alignment__tr_reference": "centre",
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_predictions_of_a_loaded_folder_are_those_of_the_run(exported, features, form):
    folder, run = exported(form, **FORMS[form])
    model, config = load(folder), with_whole_cortex(run.config, (run.config.target,), None)
    plan = Evaluator(features, None).plan(config)
    backbone = tuned_backbone(run)
    readout = tuned_readout(run, backbone.n_dims)
    of_run = Evaluator(features, None).features(backbone, config, plan.data.recordings.values(), "")
    held = plan.ridge(plan.designs(of_run))
    assert model.subjects == ["anna"]
    for recording in plan.held_out:
        sound, times = recording.story.audio, recording.tr_times
        told = model.predict(sound, times=times)
        rows = plan.story_of_row == recording.story.name
        np.testing.assert_allclose(told.values, held.predicted[rows], atol=1e-5)
        np.testing.assert_array_equal(told.voxel, plan.columns)
        np.testing.assert_array_equal(told.times, times)
        design = plan.designs(of_run, [recording], run.config.quirks)[recording.story.name]
        of_readout = model.predict(sound, "anna", times=times, readout="trained")
        with torch.no_grad():
            np.testing.assert_allclose(of_readout.values, readout(torch.from_numpy(design)), atol=1e-5)
        np.testing.assert_array_equal(of_readout.voxel, np.flatnonzero(run.voxels))
        np.testing.assert_allclose(
            model.features(sound).states,
            of_run[recording.story.name].layers[run.config.backbone.layer],
            atol=1e-5,
        )


def test_a_run_is_loaded_as_its_export_is(exported, features):
    folder, run = exported()
    model, again = load(run.path, cache=features), load(folder)
    sound = folder / "brainwavlm" / "example.flac"
    np.testing.assert_allclose(model.predict(sound).values, again.predict(sound).values, atol=1e-5)
    assert model.subject().splits == again.subject().splits == run.manifest["splits"]
    subject = load_dataset(run.config.dataset).subject("anna")
    for name in ("hemisphere", "vertex", "position"):
        for carried in (model.subject(), again.subject()):
            np.testing.assert_array_equal(getattr(carried, name), getattr(subject, name))
    with pytest.raises(ConfigError, match="'ben' is not in run"):
        again.predict(sound, "ben")


def test_each_subject_of_a_joint_run_has_readouts_on_one_speech_model(
    finished, features, tmp_path, monkeypatch
):
    run = finished(joint=[{"subject": "ben"}], train=["dog"], validation=[], test=["market"])
    configured, models = run_model.configured_backbone, []
    monkeypatch.setattr(
        run_model, "configured_backbone", lambda *some: models.append(some) or configured(*some)
    )
    model = load(export(run, tmp_path / "joint", cache=features))
    assert len(models) == 1
    assert model.subjects == ["anna", "ben"]
    sound = tmp_path / "joint" / "brainwavlm" / "example.flac"
    anna, ben = (model.predict(sound, name).values for name in model.subjects)
    assert anna.shape[0] == ben.shape[0]
    assert np.abs(anna - ben[:, : anna.shape[1]]).max() > 1e-3
    with pytest.raises(ConfigError, match="none named"):
        model.predict(sound)


def test_an_export_says_nothing_of_the_machine_and_the_card_says_what_it_is(
    exported, evaluated, features, tmp_path
):
    scores = evaluated().save(tmp_path / "scores")
    run = exported()[1]
    folder = export(run, tmp_path / "with-scores", scores=scores, cache=features)
    for file in (*folder.glob("*.json"), folder / "README.md"):
        assert str(tmp_path.parent) not in file.read_text(), file
    text = (folder / "README.md").read_text()
    head = yaml.safe_load(text.split("---")[1])
    assert head["datasets"] == [load_dataset(run.config.dataset).name]
    assert head["library_name"] == "transformers"
    assert ("SIMULATED" in text) == ("simulated" in head["tags"]) == load(folder).simulated
    row = evaluated().rows_of(run.path.name)[0]
    assert f"| anna | {row['target']} | {int(row['n_voxels'])} | {row['r_frozen']:.3f}".replace(
        "-", "−"
    ) in text.replace("-", "−")
    assert [one["target"] for one in load(folder).scores] == list(evaluated().table["target"])
    assert "No control was scored with it" in text
    assert "None was given at export" in (exported()[0] / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("microsoft/wavlm-base-plus", "cc-by-sa-3.0"),
        ("facebook/wav2vec2-large-960h-lv60-self", "apache-2.0"),
        ("facebook/wav2vec2-base-10k-voxpopuli", "other"),
        ("openai/whisper-large-v3-turbo", "mit"),
        ("my-lab/wavlm", "other"),
    ],
)
def test_a_licence_is_said_of_the_bases_whose_cards_say_it(name, licence):
    assert base_licence(name)[0] == licence


def flipped(path, random):
    content = bytearray(path.read_bytes())
    content[random.integers(len(content))] ^= 1 << random.integers(8)
    path.write_bytes(content)


def test_no_flipped_bit_is_accepted(own, tuned, tmp_path):
    random, run = np.random.default_rng(0), tuned("run").path
    refusals = 0
    for folder, ask in (
        (own, (verify, load)),
        (run, (verify, load, lambda path: export(path, tmp_path / "out"))),
    ):
        files = [file for file in folder.rglob("*") if file.is_file() and file.name != "lock"]
        for n in range(40):
            file = files[n % len(files)]
            before = file.read_bytes()
            flipped(file, random)
            for question in ask:
                if question is load and file.name == "README.md":
                    continue
                with pytest.raises(BrainwavlmError) as caught:
                    question(folder)
                listed = file.name == "SHA256SUMS" or "run.json" in str(file) or "result.json" in str(file)
                assert listed or file.relative_to(folder).as_posix() in str(caught.value)
            file.write_bytes(before)
            refusals += 1
    assert refusals == 80
    assert not (tmp_path / "out").exists()
    assert verify(own)["difference"] <= 1e-5
    assert verify(run) == {"files": len(files) - 1, "difference": None}


def test_a_model_card_may_be_written_on(own):
    with open(own / "README.md", "a") as card:
        card.write("\nWe used it for X.\n")
    assert load(own).subjects == ["anna"]
    with pytest.raises(RunError, match=r"README\.md: lacks the content"):
        verify(own)


def test_an_adapter_of_another_base_model_is_refused(exported, tmp_path):
    folder = shutil.copytree(exported("adapter", **FORMS["adapter"])[0], tmp_path / "adapter")
    manifest = folder / "brainwavlm" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["backbone"]["checksum"] = "0" * 64
    manifest.write_text(json.dumps(content))
    write_sums(folder, [file for file in folder.rglob("*") if file.is_file() and file.name != "SHA256SUMS"])
    with pytest.raises(RunError, match="an adapter of another"):
        load(folder)


def test_what_cannot_be_exported_is_told_before_anything_is_computed(
    settings, finished, evaluated, tuned, tmp_path, monkeypatch
):
    killed = tmp_path / "killed"
    with pytest.raises(Killed):
        tune(settings(training__epochs=1), killed, progress=KillAt(1))
    old = tuned("old")
    (old.path / "SHA256SUMS").unlink()
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("x")
    monkeypatch.setattr(sys.modules["brainwavlm.models.export"], "model_of_run", None)
    run, out, full_run = finished().path, tmp_path / "out", finished(**FORMS["full"]).path
    scores = evaluated().save(tmp_path / "scores")
    cases = [
        ((tmp_path / "nothing", out), {}, "no run.json"),
        ((killed, out), {}, "not finished"),
        ((old.path, out), {}, "SHA256SUMS: no such file"),
        ((run, full), {}, "a folder with files"),
        ((full_run, out), {"adapter": True}, "adapter.method=full"),
        ((full_run, out), {"scores": scores}, "whose settings are not those of"),
        ((run, out), {"adapter": True, "trim": True}, "no blocks"),
        ((run, out), {"scores": tmp_path / "nothing"}, "summary.json"),
        ((run, out), {"push": "no-owner"}, "OWNER/NAME"),
    ]
    for arguments, options, told in cases:
        with pytest.raises(BrainwavlmError, match=told):
            export(*arguments, **options)
    assert not out.exists()
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    assert open_run(old.path).result is not None
    for source in (tmp_path / "nothing", full):
        with pytest.raises(RunError, match=r"no such folder|without brainwavlm"):
            load(source)


def test_resuming_records_the_files_of_a_run_that_an_earlier_version_finished(tuned, brainwavlm):
    run = tuned("earlier")
    (run.path / "SHA256SUMS").unlink()
    manifest = json.loads((run.path / "run.json").read_text())
    del manifest["config"]["loss"]["distil"], manifest["config"]["windows"]["mode"]
    (run.path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(
        RunError, match="Record what is there now:  brainwavlm tune --resume --output"
    ) as told:
        verify(run.path)
    before = {path: path.read_bytes() for path in run.path.rglob("*.*") if path.is_file()}
    command = told.value.remedy.split("brainwavlm ")[1]
    brainwavlm(*command.split())
    assert verify(run.path)["files"] == len(before)
    assert all(path.read_bytes() == content for path, content in before.items())
