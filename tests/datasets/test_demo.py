from brainwavlm.checks import check_dataset
from brainwavlm.datasets import load_dataset
from brainwavlm.datasets.demo import demo_model_path


def test_the_embedded_data_set_can_be_used_and_says_that_it_is_simulated():
    assert load_dataset("demo").simulated
    report = check_dataset("demo")
    assert report.errors == ()
    assert len(report.subjects) >= 2
    assert report.simulated


def test_the_embedded_speech_model_is_a_transformers_folder():
    assert (demo_model_path() / "config.json").is_file()
    assert (demo_model_path() / "model.safetensors").is_file()
