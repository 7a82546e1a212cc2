"""Speech tasks: heads find what is planted in hidden states, errors are counted right, both models are asked alike."""

from dataclasses import replace

import jiwer
import numpy as np
import pytest
import soundfile
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t as student_t
from sklearn.metrics import accuracy_score, f1_score

import brainwavlm.evaluation.speech_tasks.scores as scores_module
import brainwavlm.evaluation.speech_tasks.states as states_module
from brainwavlm.errors import BrainwavlmError, ConfigError, DatasetError
from brainwavlm.evaluation.speech_tasks.downstream import downstream
from brainwavlm.evaluation.speech_tasks.heads import Head, Training, outputs
from brainwavlm.evaluation.speech_tasks.recognition import errors, recognised, recogniser
from brainwavlm.evaluation.speech_tasks.scores import _of_classes, classifier
from brainwavlm.evaluation.speech_tasks.synthesis import (
    decoded_mels,
    distortion,
    mel_decoder,
    mel_of,
    vocoded,
)
from brainwavlm.evaluation.speech_tasks.tasks import Item, Task, task_of
from brainwavlm.results import open_result
from brainwavlm.stimulus.corpora import read_corpus
from brainwavlm.stimulus.utterances import Utterance

CPU = torch.device("cpu")
LABELS = ("AA", "B", "IY")
STATE, N_STATES, N_DIMS = 2, 4, 8  # the hidden state that says it


def made_up(tmp_path, sequences, n_utterances=30, n_labels=5):
    """A task of random labels, and hidden states of which one says each label for three frames."""
    random = np.random.default_rng(0)
    items, states = {}, {}
    for split, n in (("train", n_utterances), ("validation", 6), ("test", 12)):
        items[split], states[split] = [], []
        for number in range(n):
            said = tuple(random.choice(LABELS, n_labels + number % 3))
            items[split].append(Item(Utterance(tmp_path, f"{split}{number // 4}"), said))
            for labels in [said] if sequences else [(label,) for label in said]:
                frames = random.standard_normal((3 * len(labels), N_STATES, N_DIMS))
                frames *= [[0.3], [0.3], [0.3], [30]]
                for place, label in enumerate(labels):
                    frames[3 * place : 3 * place + 2, STATE, LABELS.index(label)] += 6
                states[split].append(torch.from_numpy(frames if sequences else frames[:1]).half())
    groups = [item.utterance.source for item in items["test"] for _ in ([0] if sequences else item.labels)]
    name = "asr" if sequences else "phones"
    task = Task(name, sequences, "phones", LABELS, items, "stories", np.array(groups), [])
    return task, states


def test_a_linear_head_tells_labels_and_weighs_the_state_that_has_them(tmp_path):
    task, states = made_up(tmp_path, sequences=False)
    head = classifier(task, states, Training(0, 30, CPU))
    decided = torch.cat(outputs(head, states["test"], 16)).numpy()
    truth = [LABELS.index(label) for item in task.items["test"] for label in item.labels]
    assert np.mean(decided.argmax(1) == truth) > 0.95
    assert head.shares.argmax() == STATE
    assert_allclose(head.shares.detach().sum(), 1, rtol=1e-6)


def test_accuracy_and_f1_are_scikit_learns_and_their_intervals_leave_out_stories(tmp_path):
    task, _ = made_up(tmp_path, sequences=False)
    truth = np.array([LABELS.index(label) for item in task.items["test"] for label in item.labels])
    decided = np.random.default_rng(1).standard_normal((len(truth), 3)) + np.eye(3)[truth]
    scores, story = _of_classes(task, decided), task.group_of_row
    kept = [story != left for left in ("none", "test0", "test1", "test2")]
    said = decided.argmax(1)
    assert_allclose(scores["accuracy"], [accuracy_score(truth[some], said[some]) for some in kept])
    assert_allclose(scores["f1"], [f1_score(truth[some], said[some], average="macro") for some in kept])


def test_ctc_learns_the_order_of_labels_from_frames(tmp_path):
    task, states = made_up(tmp_path, sequences=True, n_utterances=60)
    head = recogniser(task, states, Training(0, 30, CPU))
    counts = errors(task, recognised(head, states["test"], LABELS))["per"]
    assert counts[:, 0].sum() / counts[:, 1].sum() < 0.1
    again = recogniser(task, states, Training(0, 2, CPU))
    other = recogniser(task, states, Training(0, 2, CPU))
    assert all(map(torch.equal, again.parameters(), other.parameters()))


def test_greedy_decoding_joins_repeats_and_drops_what_says_nothing(monkeypatch):
    frames = torch.eye(4)[[0, 1, 1, 0, 1, 3, 3, 2, 0]]
    monkeypatch.setattr("brainwavlm.evaluation.speech_tasks.recognition.outputs", lambda *_: [frames])
    assert recognised(None, [], LABELS) == [("AA", "AA", "IY", "B")]


def test_errors_of_phones_words_and_characters_are_jiwers(tmp_path):
    true, said = "the dog is here", "a dog here now"
    task = Task(
        "asr", True, "characters", (), {"test": [Item(None, tuple(true))]}, "stories", np.array(["a"]), []
    )
    counts = errors(task, [tuple(said)])
    assert_array_equal(counts["wer"], [[3, 4]])  # the -> a, is left out, now too much
    assert_allclose(counts["wer"][0, 0] / counts["wer"][0, 1], jiwer.wer(true, said))
    assert_allclose(counts["cer"][0, 0] / counts["cer"][0, 1], jiwer.cer(true, said))
    phones = replace(task, tokens="phones", items={"test": [Item(None, ("AA", "B"))]})
    assert_array_equal(errors(phones, [()])["per"], [[2, 2]])
    assert_array_equal(errors(phones, [("B", "AA", "B", "B", "B")])["per"], [[3, 2]])


def test_what_a_head_says_of_an_utterance_does_not_depend_on_its_batch():
    random = torch.Generator().manual_seed(0)
    states = [torch.randn(n, 2, 6, generator=random) for n in (9, 4, 12, 4, 1)]
    head = Head(states, 3, True).eval()
    for together, alone in zip(outputs(head, states, 3), states, strict=True):
        assert together.shape == (len(alone), 3)
        assert_allclose(together, head([alone])[0][0].detach(), atol=1e-5)
    everything = torch.cat(states)
    assert_allclose(head.mean, everything.mean(0), atol=1e-6)
    assert_allclose(head.deviation, everything.std(0, correction=0), rtol=1e-5)


def harmonics(seconds=1.0, pitch=120.0):
    time = torch.arange(round(16000 * seconds)) / 16000
    waves = [torch.sin(2 * torch.pi * pitch * k * time) / k for k in range(1, 30)]
    return 0.1 * torch.stack(waves).sum(0) * (1 + torch.sin(2 * torch.pi * 3 * time))


def test_griffin_lim_gives_back_a_sound_with_these_energies():
    mel = mel_of(harmonics())
    again = mel_of(vocoded(mel))
    assert distortion(mel, again).mean() < 4
    assert distortion(mel, again).mean() < 0.8 * distortion(mel, mel_of(vocoded(mel, rounds=0))).mean()
    assert torch.equal(vocoded(mel), vocoded(mel))


def test_distortion_is_kubicheks_formula_without_loudness():
    mel = torch.rand(5, 80)
    assert_allclose(distortion(mel, mel), 0)
    assert_allclose(distortion(mel, mel + 0.3), 0, atol=1e-5)
    # ln amplitude differs by .2 cos(3 pi (m + 1/2) / 80): one cepstral coefficient by .2.
    wave = 0.2 * torch.cos(3 * torch.pi * (torch.arange(80) + 0.5) / 80) * 2 / np.log(10) / 4
    assert_allclose(distortion(mel, mel + wave), 10 / np.log(10) * np.sqrt(2) * 0.2, rtol=1e-4)


def test_a_decoder_learns_energies_two_frames_for_one():
    random = torch.Generator().manual_seed(0)
    mels = {
        split: [torch.rand(2 * n, 1, generator=random).expand(-1, 80) for n in (20, 23)]
        for split in ("train", "validation")
    }
    states = {split: [some[:, 0].reshape(-1, 1, 2).half() for some in mels[split]] for split in mels}
    head = mel_decoder(mels, states, 2, Training(0, 60, CPU))
    (said, _), (true, _) = decoded_mels(head, states["validation"]), mels["validation"]
    assert said.shape == (40, 80)
    assert (said - true).abs().mean() < 0.5 * (true - true.mean()).abs().mean()


@pytest.fixture(scope="module")
def phones(finished):
    return downstream([finished(), finished(seed=1)], "phones", seeds=2, epochs=2)


def test_both_models_are_asked_alike_and_the_untuned_one_once(phones, finished):
    table = phones.table.set_index(["score", "seed"])
    assert set(table.index) == {(score, seed) for score in ("accuracy", "f1") for seed in (0, 1)}
    row = table.loc[("accuracy", 0)]
    assert row["score_frozen"] == table.loc[("accuracy", 1), "score_frozen"]
    assert_allclose(table["difference"], table["score_tuned"] - table["score_frozen"], atol=1e-12)
    assert (table["low"] <= table["difference"]).all()
    assert table["n_units"].eq(56).all()  # 28 words of two phones in the test story
    assert row["reference"] == 0.25
    half = student_t.ppf(0.975, 1) * row["deviation"] / np.sqrt(2)
    assert_allclose([row["seed_low"], row["seed_high"]], [row["difference"] - half, row["difference"] + half])
    assert any("blocks of at least 10 labels of this test story" in note for note in phones.summary["notes"])
    same = downstream(finished(adapter__method="frozen"), "phones", seeds=1, epochs=1).table
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)


@pytest.fixture
def voices(tmp_path):
    """A table of stretches of three sounds: three speakers of a hundred sentences each, split by speaker."""
    lines = ["path,onset,offset,speaker,text,mood,split"]
    for who, split in zip("abc", ("train", "validation", "test"), strict=True):
        soundfile.write(
            tmp_path / f"{who}.wav", 0.5 * harmonics(5.0, 100.0 + 20 * ord(who) % 97).numpy(), 16000
        )
        lines += [
            f"{who}.wav,{n / 20},{n / 20 + 0.05},{who},no yes,{'good' if n % 2 else 'bad'},{split}"
            for n in range(100)
        ]
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_tasks_of_a_corpus(voices):
    corpus = read_corpus(voices)
    task = task_of("speaker", corpus)  # split within speakers, so that each is known
    assert [len(task.items[split]) for split in ("train", "validation", "test")] == [210, 30, 60]
    assert {item.labels[0] for item in task.items["test"]} == set("abc")
    assert (task.groups, len(set(task.group_of_row))) == ("speakers", 3)
    mood = task_of("mood", corpus)
    assert (mood.labels, mood.groups, len(set(mood.group_of_row))) == (("bad", "good"), "utterances", 100)
    assert task_of("asr", corpus, "characters").labels == tuple(" enosy")
    with pytest.raises(ConfigError, match=r"(?s)asr of phones.*one of speaker, asr, synthesis, mood"):
        task_of("asr", corpus, "phones")
    table = voices / "manifest.csv"
    table.write_text(table.read_text().replace("bad", "good").replace(",good,train", ",sad,train", 3))
    with pytest.raises(ConfigError, match=r"1 labels to tell apart \(5 to learn from needed: sad 3\)"):
        task_of("mood", read_corpus(voices))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"task": "speaker"},
            r"downstream.task: speaker, for which .* has no labels.*one of phones, words, asr",
        ),
        ({"task": "asr", "memory_gb": 1e-6}, r"downstream.memory: hidden states of 0.0 h of sound take"),
        ({"task": "phones", "seeds": 0}, r"downstream.seeds: 0"),
        ({"task": "asr", "data": "nowhere"}, r"nowhere: no such file or folder"),
    ],
)
def test_what_cannot_be_asked_is_told_before_any_model_hears(finished, monkeypatch, options, message):
    monkeypatch.setattr(scores_module, "states_of", lambda *_: pytest.fail("heard an utterance"))
    with pytest.raises(BrainwavlmError, match=f"(?s){message}"):
        downstream(finished(), **options)


@pytest.mark.parametrize(
    ("rest", "message"),
    [(lambda wav: wav[:99_000], "truncated: "), (lambda wav: wav[99:], "not readable as sound")],
)
def test_a_broken_sound_is_told_before_any_is_decoded(finished, voices, monkeypatch, rest, message):
    monkeypatch.setattr(states_module, "usable_facts", lambda *_: pytest.fail("decoded a sound"))
    last = voices / "c.wav"
    last.write_bytes(rest(last.read_bytes()))
    with pytest.raises(DatasetError, match=message):
        downstream(finished(), "mood", voices)


def test_the_command_resynthesises_and_writes_sounds(finished, tmp_path, brainwavlm, monkeypatch):
    monkeypatch.setattr(vocoded, "__defaults__", (2,))  # rounds
    places = ["-o", tmp_path / "out", "--seeds", "1", "--epochs", "1", "--layers", "0,3"]
    brainwavlm("downstream", finished().path, "--task", "synthesis", *places)
    assert "Speech task: synthesis" in brainwavlm("show", tmp_path / "out").out
    brainwavlm("report", tmp_path / "out", code=2)
    table = open_result(tmp_path / "out").table.set_index("score")
    assert list(table.index) == ["mcd", "per"]
    assert (table.loc["mcd", ["reference", "score_frozen", "score_tuned"]] > 0).all()
    assert table.loc["mcd", "reference"] < table.loc["mcd", "score_frozen"]
    sounds = sorted((tmp_path / "out/sounds").rglob("*.wav"))
    assert {path.stem.rsplit(" ", 1)[1] for path in sounds} == {"real", "vocoder", "frozen", "tuned"}
    assert all(soundfile.info(path).samplerate == 16000 for path in sounds)
