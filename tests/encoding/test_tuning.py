"""The loop: what it trains, what it keeps, and that a broken run ends like an unbroken one."""

import json

import pytest
import torch
from accelerate.state import AcceleratorState

from brainwavlm.compute import accelerator_for
from brainwavlm.encoding.optimisation import rate_factor
from brainwavlm.encoding.run_model import load_state
from brainwavlm.encoding.subjects import run_manifest
from brainwavlm.encoding.tuning import TuningLoop, tune
from brainwavlm.errors import AlignmentError, BackboneError, ConfigError, RunError, TuningError
from brainwavlm.evaluation.evaluate import score_backbone
from brainwavlm.progress import Progress
from brainwavlm.runs.run import open_run
from brainwavlm.runs.writer import writing
from tests.encoding.loops import KillAt, Killed, tensors, untuned_loop


def test_tuning_changes_adapters_and_readout_and_keeps_the_best_epoch(finished):
    run = finished(training__epochs=2)
    assert run.result is not None
    assert [epoch["epoch"] for epoch in run.result["history"]] == [1, 2]
    best = max(run.result["history"], key=lambda epoch: epoch["validation_r"])
    assert run.result["best"]["epoch"] == best["epoch"]
    model = run.checkpoint("best").model
    changed = [key for key, value in model.items() if "lora_B" in key and value.abs().max() > 0]
    assert len(changed) == 3 * 3  # q, k, v of the three blocks that are run
    assert any(key.startswith("readout.") for key in model)
    assert run.manifest["splits"]["train"] == ["dog", "ferry"]
    assert run.manifest["data"]["simulated"] is False
    assert torch.__version__.startswith(run.manifest["versions"]["torch"].split("+")[0])
    assert [event["event"] for event in run.log()][-1] == "epoch"


def test_another_seed_begins_with_another_readout_and_activations_are_computed_again_where_asked(settings):
    first, other = (untuned_loop(settings(seed=seed, training__recompute=True)) for seed in (0, 1))
    assert not torch.equal(first.readouts[0].compress.weight, other.readouts[0].compress.weight)
    assert first.backbone.recompute


def test_tuning_lowers_the_loss_on_what_it_sees(settings, tmp_path):
    run = tune(
        settings(train=["dog"], training__epochs=8, adapter__dropout=0.0, training__schedule="constant"),
        tmp_path,
    )
    losses = [epoch["loss"] for epoch in run.result["history"]]
    assert losses[-1] < losses[0] - 0.2


STREAM = {"windows__mode": "stream", "windows__chunk": 3.0}
EACH = {"training__checkpoint_steps": 1}
PERMUTED = {"control__kind": "block-permuted", "control__seconds": 4.0}


@pytest.mark.parametrize(
    ("killed_after", "overrides"),
    [
        (6, {"training__epochs": 2}),
        # SpecAugment draws from numpy, dropout from torch; both states are part of a checkpoint.
        (7, {"backbone__train_noise": True, "joint": [{"subject": "ben"}]} | PERMUTED | EACH),
        (3, STREAM | EACH),
        *(
            pytest.param(step, {"training__epochs": 2} | more, marks=pytest.mark.slow)
            for step, more in ((1, {}), (4, {}), (3, EACH), (6, EACH))
        ),
    ],
)
def test_a_killed_run_resumes_and_ends_bit_identical(resumed, killed_after, overrides):
    state = tensors(resumed(killed_after, **overrides))
    assert sum(value.abs().max() > 0 for key, value in state.items() if "lora_B" in key) >= 3 * 3


def test_a_finished_run_is_not_run_again(tuned):
    run = tuned()
    before = (run.path / "log.jsonl").read_bytes()
    with pytest.raises(RunError, match="finished run is here"):
        tune(run.config, run.path)
    assert tune(run.config, run.path, resume=True).result == run.result
    assert (run.path / "log.jsonl").read_bytes() == before


@pytest.mark.parametrize("refresh", [0, 1])
def test_a_closed_form_readout_is_never_trained_by_gradient(finished, tmp_path, refresh):
    run = finished(readout__kind="ridge-fixed", readout__refresh=refresh, joint=[{"subject": "ben"}])
    loop = TuningLoop(run.config, tmp_path, Progress())
    loop.begin()
    for number, readout in enumerate(loop.readouts):
        assert readout.weights.abs().max() > 0
        after = run.checkpoint("last").model[f"readout.{number}.weights"]
        assert torch.allclose(readout.weights, after) == (refresh == 0)


def test_a_frozen_model_under_a_closed_form_readout_has_nothing_to_train(settings, tmp_path):
    run = tune(settings(readout__kind="ridge-fixed", adapter__method="frozen"), tmp_path)
    first, second = run.result["history"]
    assert first["validation_r"] == second["validation_r"]


def test_distil_holds_features_near_the_untuned_models_and_resumes_bit_identical(finished, resumed):
    """The untuned features are read again on resume, of the model before its checkpoint."""
    free = finished(training__epochs=2)
    held = resumed(4, training__epochs=2, training__checkpoint_steps=1, loss__distil=100.0)
    loop = untuned_loop(free.config)
    loop.read_untuned()
    distances = []
    for run in (free, held):
        tuned = untuned_loop(free.config)
        load_state(run.checkpoint("last"), run.config, tuned.backbone)
        tuned.read_untuned()
        distances.append(
            max(float((tuned.untuned[name][0] - loop.untuned[name][0]).norm()) for name in loop.lengths)
        )
    assert 0 < distances[1] < distances[0] / 2


def test_the_authors_quirks_run_together(finished):
    on = ("clip_kernel", "block_delays", "block_zscore", "run_unused_blocks", "std_unbiased", "nan_voxels")
    quirks = {f"quirks__{name}": True for name in (*on, "fixed_story_order", "short_tail")}
    run = finished(**quirks, quirks__validation_rows=10, adapter__alpha=4)
    unread = [key for key in run.checkpoint("last").model if "layers.3." in key and "lora_B" in key]
    assert unread  # adapters above the layer read exist and stay at zero
    assert all(not run.checkpoint("last").model[key].any() for key in unread)


def test_an_epoch_is_chosen_by_fresh_ridge_and_the_untuned_model_may_win(finished, resumed, settings):
    still = finished(quirks__epoch_by_ridge=True, training__lr_backbone=1e-30)
    untuned, tuned = still.history
    assert (untuned["epoch"], untuned["loss"], still.result["chosen_by"]) == (0, None, "ridge")
    alone = score_backbone(settings(validation=[], test=["garden"]))  # fitted on the training stories
    assert untuned["validation_r"] == pytest.approx(alone.r.mean(), abs=1e-5)
    assert untuned["validation_r"] == tuned["validation_r"]
    assert (still.best_epoch["epoch"], list(still.epochs)) == (0, [0])
    assert all(not value.any() for key, value in still.checkpoint("best").model.items() if "lora_B" in key)
    moved = finished(quirks__epoch_by_ridge=True)
    best = max(moved.history, key=lambda row: row["validation_r"])
    assert (moved.best_epoch["epoch"], list(moved.epochs)) == (best["epoch"], [best["epoch"]])
    resumed(1, quirks__epoch_by_ridge=True)


def test_an_adapter_without_gradient_stops_the_run_at_the_first_step(settings, tmp_path, monkeypatch):
    """Trap 1, end to end: with the stock attention the run must not go on as if it learned."""
    monkeypatch.setattr("brainwavlm.speech.backbones.make_reachable", lambda *_: False)
    with pytest.raises((BackboneError, TuningError), match="gradient"):
        tune(settings(), tmp_path / "run")


def test_a_prediction_that_is_no_number_stops_the_run(settings, tmp_path):
    loop = TuningLoop(settings(), tmp_path / "run", Progress())
    with writing(
        tmp_path / "run",
        run_manifest(loop.config, loop.subjects, loop.backbone),
        [subject.data.voxels for subject in loop.subjects],
        False,
    ) as loop.writer:
        loop.begin()
        torch.nn.utils.vector_to_parameters(
            torch.full((sum(p.numel() for p in loop.readouts.parameters()),), torch.nan),
            loop.readouts.parameters(),
        )
        with pytest.raises(TuningError, match=r"the loss of step 0 .* is nan") as caught:
            loop.train_epoch(done=0)
        assert caught.value.exit_code == 1
        with pytest.raises(TuningError, match=r"the validation of epoch 0 is nan"):
            loop.validate()


HEARD = [{"subject": "ben", "train": ["market"], "test": ["dog"], "validation": ["garden"]}]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"target": "V1"}, "V1"),
        ({"subject": "nobody"}, "nobody"),
        ({"train": ["nowhere"]}, "nowhere"),
        ({"backbone__layer": 99}, "99"),
        ({"loss__distil": 1.0, "adapter__method": "reinit"}, "loss.distil 0 with adapter.method = reinit"),
        ({"alignment__delays": [1, 1000]}, r"alignment\.delays: \[1, 1000\], where the longest"),
        ({"training__slow": 7, "training__block_rows": 14}, "12 TRs, with every 7 of them a row"),
        ({"windows__mode": "stream", "backbone__train_noise": True}, r"backbone\.train_noise"),
        (
            {"control__kind": "phones", "loss__ceiling_weighted": True},
            r"loss\.ceiling_weighted: true, with control\.kind phones",
        ),
        (
            PERMUTED | {"control__seconds": 20.0},
            r"control\.seconds: 20 s, but dog has 24 s of responses: one block",
        ),
        ({"control__kind": "other-story", "train": ["dog"]}, "other-story, with 1 training story"),
        ({"readout__shared": True}, "nobody to share with"),
        ({"joint": HEARD}, r"joint(.|\n)*is a test story of"),
        ({"joint": [{"subject": "anna"}]}, "anna is named twice"),
        ({"joint": [{"subject": "nobody"}]}, r"joint(.|\n)*'nobody'(.|\n)*anna, ben"),
    ],
)
def test_what_no_run_can_have_is_refused_before_anything_is_written(settings, tmp_path, overrides, words):
    with pytest.raises((AlignmentError, BackboneError, ConfigError), match=words):
        tune(settings(**overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_patience_ends_a_run_that_no_longer_improves(settings, tmp_path):
    still = {"training__lr_backbone": 1e-30, "training__lr_readout": 1e-30}
    run = tune(settings(training__epochs=40, training__patience=1, **still), tmp_path)
    assert (run.result["history"][-1]["epoch"], run.result["best"]["epoch"]) == (2, 1)


def test_without_validation_stories_the_last_epoch_counts(settings, tmp_path):
    run = tune(settings(validation=[]), tmp_path)
    assert run.result["best"] == {"epoch": 2, "validation_r": None, "checkpoint": run.checkpoints[-1].name}


@pytest.mark.parametrize(("step", "expected"), [(0, 0.1), (9, 1.0), (10, 1.0), (55, 0.5), (99, 0.000304)])
def test_the_rate_rises_then_follows_half_a_cosine(settings, step, expected):
    config = settings(training__warmup=0.1).training
    assert rate_factor(step, 100, config) == pytest.approx(expected, abs=1e-4)


def test_a_tracker_that_is_not_installed_is_an_error_and_not_silence(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("brainwavlm.compute.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="tensorboard is not installed"):
        tune(settings(tracking="tensorboard"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def mac(monkeypatch):
    """What a Mac tells torch and accelerate; the state of accelerate is one a process."""
    AcceleratorState._reset_state(True)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    monkeypatch.setattr("torch.backends.mps.is_built", lambda: True)
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    yield
    AcceleratorState._reset_state(True)


def test_a_mac_computes_on_its_cpu_and_is_told_why_not_mps(settings, tmp_path, mac):
    assert accelerator_for(settings(device="auto"), tmp_path).device.type == "cpu"
    with pytest.raises(ConfigError, match=r"mps has no float64.*\n.*auto or cpu"):
        accelerator_for(settings(device="mps"), tmp_path)


def test_the_norm_of_the_gradient_is_that_before_clipping(settings, tmp_path):
    config = settings(training__clip=1e-9, training__epochs=1)
    loop = TuningLoop(config, tmp_path, Progress())
    seen = []
    update = loop.optimisation.update

    def watched():
        gradients = [p.grad for p in loop.optimisation._parameters if p.grad is not None]
        seen.append(float(torch.cat([g.flatten() for g in gradients]).norm()))
        return update()

    loop.optimisation.update = watched
    with writing(tmp_path / "run", run_manifest(config, loop.subjects, loop.backbone), [], False) as writer:
        loop.run(writer, None)
    run = open_run(tmp_path / "run")
    logged = [event["gradient_norm"] for event in run.log() if event["event"] == "step"]
    assert len(logged) == loop.steps_per_epoch
    assert logged == pytest.approx(seen, rel=1e-5)
    assert run.result["history"][0]["gradient_norm"] == pytest.approx(sum(seen) / len(seen), rel=1e-5)


def test_a_checkpoint_of_before_gradient_norms_goes_on_without_their_mean(settings, tmp_path):
    config = settings(training__checkpoint_steps=1)
    with pytest.raises(Killed):
        tune(config, tmp_path / "run", progress=KillAt(2))
    path = open_run(tmp_path / "run").checkpoints[-1] / "state.json"
    state = json.loads(path.read_text())
    del state["gradient_norms"]
    path.write_text(json.dumps(state))
    resumed = tune(config, tmp_path / "run", resume=True)
    first, second = (epoch["gradient_norm"] for epoch in resumed.result["history"])
    assert first is None
    assert second > 0
