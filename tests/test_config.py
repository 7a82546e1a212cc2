"""Configuration: presets, files, overrides, and what is said of mistakes."""

import pytest
import yaml
from pydantic import ValidationError

from brainwavlm.config import PRESETS, QuirksConfig, RunConfig, load_config, parse_overrides, stored_config
from brainwavlm.errors import ConfigError


def test_every_preset_is_a_configuration_and_only_that_of_the_authors_turns_quirks_on():
    plain = QuirksConfig()
    for preset in PRESETS:
        quirks = load_config(preset=preset, overrides={"subject": "s"}).quirks
        if preset == "authors-2026":
            assert not any(
                getattr(quirks, name) == getattr(plain, name) for name in QuirksConfig.model_fields
            )
        else:
            assert quirks == plain


def test_a_file_stands_above_its_preset_and_overrides_above_both(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("preset: recommended\nsubject: a\ntraining: {epochs: 3, block_rows: 12}\n")
    config = load_config(path, overrides={"training.epochs": 7})
    assert (config.training.epochs, config.training.block_rows) == (7, 12)
    assert (
        config.training.lr_backbone
        == load_config(preset="recommended", overrides={"subject": "a"}).training.lr_backbone
    )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epoch=3", ["training.epoch", "Did you mean training.epochs?"]),
        ("epochs=3", ["unknown key epochs", "training.epochs"]),
        ("windows.frame=middle", ["windows.frame: 'middle'", "'last', 'mean' or 'first'"]),
        ("training.epochs=-1", ["training.epochs: -1", "greater than or equal to 0"]),
        ("precision=fp16", ["precision: 'fp16'", "bf16: fp16", "no numbers", "Change it"]),
        ("loss.spatial=0", ["at least one of spatial, temporal, mse"]),
    ],
)
def test_a_wrong_key_or_value_names_itself_and_the_way_out(override, words):
    with pytest.raises(ConfigError) as caught:
        load_config(preset="demo", overrides=parse_overrides([override]))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("ridge.alphas=[0]", "ridge.alphas"),  # what is within a list is set with the whole list
        ("regions={AC: [1]}", "regions.AC"),
        ("control.kind=words", "control.embeddings"),
    ],
)
def test_the_key_of_an_error_can_be_set(override, key):
    with pytest.raises(ConfigError) as caught:
        load_config(preset="demo", overrides=parse_overrides([override]))
    assert caught.value.key == key


def test_a_value_from_a_file_is_told_from_one_that_stands_above_it(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("subject: anna\nwindows: {stride: 0}\n")
    with pytest.raises(ConfigError, match=r"run.yaml: windows.stride = 0") as caught:
        load_config(path, overrides={"windows.context": 1})
    assert caught.value.key == ""
    with pytest.raises(ConfigError, match=r"^windows.stride: -1") as caught:
        load_config(path, overrides={"windows.stride": -1})


def test_a_missing_subject_is_named():
    with pytest.raises(ConfigError, match="subject is not set"):
        load_config(preset="recommended")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a list\n", "bad.yaml: holds a list, no mapping"),
        ("training:\n  epochs: 3\n  patience: 2\n  epochs: 4\n", "lists epochs a second time in line 4."),
        ("subject: anna\nsubject: bert\n", "lists subject a second time in line 2."),
        ("seed: 3\ntarget: [AC\ntrain: x\n", "in line 3."),
        ("target: 2024-13-45\n", "not YAML: month must be in 1..12"),
        ("target: !!int x\n", "not YAML"),
        ("target: !!timestamp x\n", "not YAML"),
        ("target: !!bool x\n", "not YAML"),
        ("target: !!python/object:os.system x\n", "not YAML"),
        ("target: " + "[" * 1000, "too deeply nested"),
        ("target: \x07\n", "not YAML"),
        ("subject: anna\n3: 4\n", "the key 3 is no text"),
        ("subject: anna\ntraining: {3: 4}\n", "the key training.3 is no text"),
        ("? [a, b]\n: 4\n", "not YAML"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_refused_with_the_place(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert words in str(caught.value)


def test_an_override_that_is_no_yaml_is_refused():
    for value in ("[" * 1000, "2024-13-45", "{a: 1, a: 2}", "[1"):
        with pytest.raises(ConfigError, match="set: "):
            parse_overrides([f"target={value}"])


NUMBERS = "windows.context windows.stride adapter.alpha loss.mse training.lr_backbone training.clip"
NUMBERS = [*NUMBERS.split(), "training.epochs", "ridge.memory_gb", "control.seconds", "seed"]
NO_NUMBERS = [".nan", ".inf", "'nan'", "inf", "true"] * 2


@pytest.mark.parametrize(("key", "number"), list(zip(NUMBERS, NO_NUMBERS, strict=True)))
def test_what_is_no_number_is_refused_where_a_number_belongs(key, number):
    with pytest.raises(ConfigError, match=key):
        load_config(preset="demo", overrides=parse_overrides([f"{key}={number}"]))


USELESS = [f"ridge.alphas=[{some}]" for some in ("1, .inf", "1, true", "1.0e+300", "1.0e-300")]
USELESS += [f"alignment.delays=[{some}]" for some in ("1, true", "1, 2, 1", "-1, 2", "1000000000")]
USELESS += ["adapter.projections=[q, q]", "adapter.rank=4097", "windows.context=601", "readout.width=65537"]
USELESS += [f"training.{name}=11" for name in ("lr_backbone", "lr_readout", "weight_decay")]
USELESS += ["seed=4294967296", "tracking=no", "quirks.short_tail=maybe"]


@pytest.mark.parametrize("override", USELESS)
def test_values_that_no_run_can_use_are_refused(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        load_config(preset="demo", overrides=parse_overrides([override]))


def test_numbers_and_words_that_yaml_reads_as_something_else_are_understood(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "subject: anna\nprecision: no\ntraining: {lr_backbone: 1e-4, clip: 1e+1}\nridge: {alphas: [1e2, 1e3]}\n"
        "seed: 4294967295\nquirks: {short_tail: yes}\n"
    )
    config = load_config(path)
    assert (config.training.lr_backbone, config.training.clip) == (1e-4, 10.0)
    assert config.precision == "float32"  # its name now
    assert (config.ridge.alphas, config.seed, config.quirks.short_tail) == ((100.0, 1000.0), 2**32 - 1, True)


def test_a_configuration_survives_json_and_cannot_be_changed():
    config = load_config(preset="authors-2026", overrides={"subject": "UTS02"})
    assert RunConfig(**yaml.safe_load(config.model_dump_json())) == config
    with pytest.raises(ValidationError):
        config.seed = 3


def test_the_configuration_of_an_older_run_is_read_without_what_is_gone():
    kept = load_config(overrides={"subject": "S1"}).model_dump(mode="json")
    kept["evaluation"]["bootstraps"] = 2000
    assert stored_config(kept, "run.json").evaluation == load_config(overrides={"subject": "S1"}).evaluation
    with pytest.raises(ConfigError, match=r"evaluation\.bootstraps"):
        load_config(overrides={"subject": "S1", "evaluation.bootstraps": 2000})


def test_a_preset_is_parsed_once_and_no_cell_of_a_study_changes_it_for_the_next(monkeypatch):
    before = load_config(preset="demo")
    monkeypatch.setattr("brainwavlm.config.loading.yaml.safe_load", None)
    assert load_config(preset="demo", overrides={"training.epochs": 3, "loss": {"mse": 1.0}}) != before
    assert load_config(preset="demo") == before
