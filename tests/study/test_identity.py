"""What makes a cell another one: settings, data, speech model and code; not where anything is written or when."""

import os
import shutil

import h5py
import pytest

from brainwavlm.errors import DatasetError
from brainwavlm.runs import environment
from brainwavlm.runs.checksums import Checksums
from brainwavlm.runs.environment import code_version
from brainwavlm.study.identity import identity, transcript_facts, transfer_facts
from brainwavlm.study.options import TransferOptions

CODE = {"version": "1", "source": "abc", "git": None}


def append_comment(file):
    file.write_text(file.read_text() + "# more\n")


def known(config, code=CODE):
    return identity(config, Checksums(), code)


@pytest.fixture
def config(settings, own_tree):
    return settings(dataset=str(own_tree))


def test_it_is_the_same_twice_and_with_files_that_were_only_touched(config, own_tree):
    before = known(config)
    for path in own_tree.rglob("*"):
        os.utime(path)
    assert known(config) == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"training__epochs": 3}, {"evaluation__shifts": 21}])
def test_it_changes_with_the_configuration(config, settings, own_tree, change):
    assert known(settings(dataset=str(own_tree), **change)) != known(config)


@pytest.mark.parametrize("kind", ["responses", "sound"])
def test_it_changes_with_the_content_of_the_data(config, own_tree, kind):
    before = known(config)
    if kind == "responses":
        with h5py.File(next((own_tree / "responses" / "anna").glob("*.h5")), "r+") as file:
            file["data"][0, 0] += 1
    else:
        path = next((own_tree / "stimuli").glob("*.wav"))
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    assert known(config) != before


def test_it_does_not_change_with_the_data_of_somebody_else_but_a_transfer_to_them_does(config, own_tree):
    everyone, alone = TransferOptions(), TransferOptions(subjects=("anna",))

    def facts():
        return [known(config)] + [transfer_facts(config, some, Checksums()) for some in (alone, everyone)]

    before = facts()
    with h5py.File(next((own_tree / "responses" / "ben").glob("*.h5")), "r+") as file:
        file["data"][0, 0] += 1
    after = facts()
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_it_changes_with_the_data_of_a_listener_who_tunes_too(settings, own_tree):
    together = settings(dataset=str(own_tree), joint=[{"subject": "ben"}])
    before = known(together)
    with h5py.File(next((own_tree / "responses" / "ben").glob("*.h5")), "r+") as file:
        file["data"][0, 0] += 1
    assert known(together) != before


def test_transcripts_count_where_they_are_used(settings, own_tree, vectors):
    plain = settings(dataset=str(own_tree))
    words = settings(dataset=str(own_tree), control__kind="words", control__embeddings=str(vectors))
    before = known(plain), known(words)
    transcript = next((own_tree / "stimuli").glob("*.TextGrid"))
    transcript.write_text(transcript.read_text() + "\n")
    assert known(plain) == before[0]
    assert known(words) != before[1]
    vectors.write_text(vectors.read_text().replace("3 3", "4 3"))
    assert known(words) not in (before[1], known(plain))


def test_scoring_changes_with_transcripts_that_a_task_asks_for(config, own_tree):
    before = known(config), transcript_facts(config, Checksums())
    path = next((own_tree / "stimuli").glob("*.TextGrid"))
    path.write_text(path.read_text().replace('"dog"', '"cat"'))
    assert known(config) == before[0]
    assert transcript_facts(config, Checksums()) != before[1]


def test_it_changes_with_the_mask_that_a_target_names(settings, own_tree, tmp_path):
    mask = tmp_path / "mask.txt"
    mask.write_text("1 " * 3)
    config = settings(dataset=str(own_tree), target=str(mask))
    before = known(config)
    mask.write_text("1 1 0")
    assert known(config) != before


def test_it_changes_with_the_code_and_not_with_the_commit(config):
    before = known(config)
    assert known(config, {**CODE, "git": "123+dirty"}) == before
    assert known(config, {**CODE, "source": "abd"}) != before
    assert known(config, {**CODE, "version": "2"}) != before


def test_the_code_is_what_computes_and_not_what_shows(tmp_path, monkeypatch):
    copy = shutil.copytree(
        environment.PACKAGE, tmp_path / "brainwavlm", ignore=shutil.ignore_patterns("assets", "__pycache__")
    )
    here = code_version()["source"]
    monkeypatch.setattr(environment, "PACKAGE", copy)
    assert code_version() == {**code_version(), "source": here, "git": None}
    for name in (
        "cli/runs.py",
        "formatting/numbers.py",
        "reporting/page/evaluation.py",
        "study/run.py",
        "progress.py",
        "runs/provenance.py",
    ):
        append_comment(copy / name)
    assert code_version()["source"] == here
    sources = {here}
    for name in ("encoding/losses.py", "config/schema.py", "speech/wavlm.py"):
        append_comment(copy / name)
        sources.add(code_version()["source"])
    (copy / "encoding" / "new.py").write_text("")
    sources.add(code_version()["source"])
    assert len(sources) == 5


def test_a_file_is_read_again_only_when_it_changed(tmp_path):
    path, kept = tmp_path / "a.bin", tmp_path / "checksums.json"
    path.write_bytes(b"one")
    first = Checksums(kept)
    known_once = first.of(path)
    first.save()
    stamp = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert Checksums(kept).of(path) == known_once  # same size and time: not read
    os.utime(path)
    assert Checksums(kept).of(path) != known_once


def test_data_that_are_not_there_are_named(config, own_tree):
    next((own_tree / "stimuli").glob("*.wav")).unlink()
    with pytest.raises(DatasetError, match="no such file"):
        known(config)
