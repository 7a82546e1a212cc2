"""Stories are read ahead by a thread, held a few at a time, and the same as when they are read in turn."""

import threading
from pathlib import Path

import pytest
import torch
from numpy.testing import assert_allclose

from brainwavlm.encoding import story_loader
from brainwavlm.encoding.plan import plan
from brainwavlm.encoding.run_data import anchored, run_data
from brainwavlm.encoding.story_loader import StoryLoader
from brainwavlm.encoding.subjects import tuned_subjects
from brainwavlm.encoding.tuning import tune
from brainwavlm.errors import ConfigError, DatasetError
from brainwavlm.evaluation.evaluator import Evaluator
from brainwavlm.speech.backbones import load_backbone


@pytest.fixture
def stocked(settings, monkeypatch):
    """A loader, and the thread that read each story."""

    def make(**overrides):
        config = settings(**overrides)
        backbone = load_backbone(config.backbone.name, config.backbone.layer)
        readers = []
        original = story_loader.read_story

        def noted(recording, *arguments):
            readers.append((recording.story.name, threading.current_thread().name.split("_")[0]))
            return original(recording, *arguments)

        monkeypatch.setattr(story_loader, "read_story", noted)
        return StoryLoader(tuned_subjects(config), backbone, config, torch.device("cpu")), readers

    return make


def names(settings):
    data = run_data(settings())
    return [recording.story.name for recording in data.splits["train"]]


def test_what_is_read_ahead_equals_what_is_read_in_turn(stocked, settings):
    first, second = names(settings)[:2]
    loader, readers = stocked(training__frontend_cache_gb=0.0)
    loader.expect([first])
    ahead = loader[first]
    again = loader[first]
    assert [thread for _, thread in readers] == ["reader", "MainThread"]
    assert torch.equal(ahead.responses, again.responses)
    assert torch.equal(ahead.sound, again.sound)
    assert [prepared.story for prepared in loader.each([first, second])] == [first, second]
    assert readers[2:] == [(first, "MainThread"), (second, "reader")]
    loader.close()


def test_stories_that_are_held_are_not_read_again(stocked, settings):
    first, second = names(settings)[:2]
    loader, readers = stocked(training__frontend_cache_gb=0.0)
    loader.hold([first, second])
    loader.expect([first, second])
    loader.hold([second])
    assert loader[second] is loader[second]
    assert len(readers) == 2
    loader.close()
    loader, readers = stocked(training__frontend_cache_gb=1.0)  # all stay where the frontend's output fits
    assert loader[first].frontend is not None
    loader.hold([])
    loader[first]
    assert len(readers) == 1


def test_a_problem_met_ahead_is_raised_where_the_story_is_used(stocked, settings, monkeypatch):
    first = names(settings)[0]
    loader, _ = stocked(training__frontend_cache_gb=0.0)

    def broken(*_):
        raise DatasetError("dog.wav", "noise.", "sound.", "Look.")

    monkeypatch.setattr(story_loader, "read_story", broken)
    loader.expect([first])
    with pytest.raises(DatasetError, match="noise"):
        loader[first]
    loader.close()


def test_a_run_from_files_of_the_frontend_equals_one_from_memory(settings, finished, tmp_path):
    folder = tmp_path / "frontends"
    runs = [finished(), finished(training__frontend_cache_gb=0.0, training__frontend_folder=str(folder))]
    assert len(list(folder.iterdir())) == len({*names(settings)}) + 1  # and the validation story
    one, other = (run.checkpoint("last").model for run in runs)
    for key, value in one.items():
        torch.testing.assert_close(value, other[key], atol=1e-5, rtol=1e-4)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


def test_scores_read_the_frontend_that_the_run_kept(settings, finished, tmp_path, monkeypatch):
    folder = tmp_path / "frontends"
    run = finished(training__frontend_folder=str(folder))
    config = run.config
    recordings = Evaluator(None, None).data(config).splits["train"]
    evaluator = Evaluator(None, None)
    backbone = evaluator.untuned(config)
    with monkeypatch.context() as changes:
        changes.setattr(type(backbone), "listen", lambda *_: pytest.fail("the convolutions are run again"))
        kept = evaluator.features(backbone, config, recordings, "")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()  # as where a run is scored on another machine
    computed = evaluator.features(backbone, config, recordings, "")
    assert not folder.exists()
    for name, features in computed.items():
        for layer, values in features.layers.items():
            assert_allclose(kept[name].layers[layer], values, atol=1e-5)


def test_a_folder_that_cannot_be_used_leaves_no_run_behind(settings, tmp_path):
    (tmp_path / "file").write_text("")
    more = {"training__frontend_folder": str(tmp_path / "file" / "below")}
    with pytest.raises(ConfigError, match=r"training\.frontend_folder"):
        tune(settings(**more), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plan_writes_no_frontends(settings, tmp_path):
    more = {"training__frontend_cache_gb": 0.0, "training__frontend_folder": str(tmp_path / "kept")}
    plan(settings(**more), calibration_steps=1)
    assert not (tmp_path / "kept").exists()


def test_files_of_a_configuration_are_named_from_the_root(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mask.npy", "vectors.txt"):
        (tmp_path / name).write_bytes(b"")
    config = anchored(
        settings(
            target="mask.npy",
            regions={"Q": ["mask.npy", "LH"]},
            evaluation__targets=("cortex", "mask.npy"),
            training__frontend_folder="~/kept",
            control__kind="words",
            control__embeddings="vectors.txt",
        )
    )
    assert config.control.embeddings == str(tmp_path / "vectors.txt")
    mask = str(tmp_path / "mask.npy")
    assert (config.target, config.regions["Q"], config.evaluation.targets) == (
        mask,
        (mask, "LH"),
        ("cortex", mask),
    )
    assert config.training.frontend_folder == str(Path.home() / "kept")
