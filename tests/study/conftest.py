"""Studies of seconds: the small native data set and the WavLM with random weights of the tests of tuning."""

import pytest
import yaml

from brainwavlm.study import load_study


@pytest.fixture
def base(settings):
    """Settings of a run of seconds, as the file of a study gives them."""
    config = settings(training__epochs=1).model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in config.items() if key != "subject"} | {"subject": "anna"}


@pytest.fixture
def study_file(base, tmp_path):
    """A function from experiments to the file of a study."""

    def write(name="study.yaml", above=None, **experiments):
        path = tmp_path / name
        content = {
            "format": 1,
            "name": "small",
            "base": {**base, **(above or {})},
            "experiments": experiments,
        }
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture
def small_study(study_file):
    """The same, read."""

    def make(above=None, **experiments):
        return load_study(study_file(above=above, **experiments))

    return make
