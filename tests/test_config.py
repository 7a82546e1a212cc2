"""Configuration: presets, files, overrides, and what is said of mistakes."""

import pytest
import yaml
from pydantic import ValidationError

from brainwavlm.config import PRESETS, QuirksConfig, RunConfig, load_config, parse_overrides
from brainwavlm.errors import ConfigError


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_configuration(preset):
    assert load_config(preset=preset, overrides={"subject": "UTS03"}).subject in ("UTS03",)


def test_only_the_authors_preset_turns_quirks_on():
    plain = QuirksConfig()
    for preset in PRESETS:
        quirks = load_config(preset=preset, overrides={"subject": "s"}).quirks
        if preset == "authors-2026":
            same = [
                name for name in QuirksConfig.model_fields if getattr(quirks, name) == getattr(plain, name)
            ]
            assert same == []
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
        ("windows.frame=middle", ["windows.frame = 'middle'", "'last', 'mean' or 'first'"]),
        ("training.epochs=-1", ["training.epochs = -1", "greater than or equal to 0"]),
        ("loss.spatial=0", ["at least one of spatial, temporal and mse"]),
    ],
)
def test_a_wrong_key_or_value_names_itself_and_the_way_out(override, words):
    with pytest.raises(ConfigError) as caught:
        load_config(preset="demo", overrides=parse_overrides([override]))
    for word in words:
        assert word in str(caught.value)


def test_a_missing_subject_is_named():
    with pytest.raises(ConfigError, match="subject is not set"):
        load_config(preset="recommended")


@pytest.mark.parametrize(
    "content", ["- a list\n", "a: [1,\n", "\xff".encode("latin-1").decode("latin-1") + ": {"]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_config(path)


def test_a_configuration_survives_json_unchanged():
    config = load_config(preset="authors-2026", overrides={"subject": "UTS02"})
    assert RunConfig(**yaml.safe_load(config.model_dump_json())) == config


def test_a_configuration_cannot_be_changed():
    config = load_config(preset="demo")
    with pytest.raises(ValidationError):
        config.seed = 3
