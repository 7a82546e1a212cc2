"""What makes a cell another one: settings, data, speech model and code; not where anything is written or when."""

import os
import shutil

import h5py
import pytest

from brainwavlm.errors import DatasetError
from brainwavlm.runs import environment
from brainwavlm.runs.checksums import Checksums
from brainwavlm.runs.environment import code_version
from brainwavlm.study.options import TransferOptions
from brainwavlm.study.preparation import identity, transcript_facts, transfer_facts

CODE = {"version": "1", "source": "abc", "git": None}


def with_other_responses(tree, subject):
    with h5py.File(next((tree / "responses" / subject).glob("*.h5")), "r+") as file:
        file["data"][0, 0] += 1


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


def test_it_changes_with_the_configuration_and_with_the_content_of_the_data(config, settings, own_tree):
    identities = {known(config)}
    for change in ({"seed": 1}, {"training__epochs": 3}, {"evaluation__shifts": 21}):
        identities.add(known(settings(dataset=str(own_tree), **change)))
    with_other_responses(own_tree, "anna")
    identities.add(known(config))
    path = next((own_tree / "stimuli").glob("*.wav"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    identities.add(known(config))
    path.unlink()
    assert len(identities) == 6
    with pytest.raises(DatasetError, match="no such file"):
        known(config)


def test_the_data_of_somebody_else_count_where_they_tune_or_are_scored(config, settings, own_tree):
    alone, everyone = TransferOptions(subjects=("anna",)), TransferOptions()
    together = settings(dataset=str(own_tree), joint=[{"subject": "ben"}])

    def facts():
        return [
            *(known(config), transfer_facts(config, alone, Checksums())),
            *(known(together), transfer_facts(config, everyone, Checksums())),
        ]

    before = facts()
    with_other_responses(own_tree, "ben")
    assert [new == old for new, old in zip(facts(), before, strict=True)] == [True, True, False, False]


def test_transcripts_count_where_they_are_used(settings, own_tree, vectors):
    plain = settings(dataset=str(own_tree))
    words = settings(dataset=str(own_tree), control__kind="words", control__embeddings=str(vectors))
    before = known(plain), known(words), transcript_facts(plain, Checksums())
    transcript = next((own_tree / "stimuli").glob("*.TextGrid"))
    transcript.write_text(transcript.read_text().replace('"dog"', '"cat"'))
    assert known(plain) == before[0]
    assert known(words) != before[1]
    assert transcript_facts(plain, Checksums()) != before[2]  # which a task asks for
    vectors.write_text(vectors.read_text().replace("3 3", "4 3"))
    assert known(words) not in (before[1], known(plain))


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

    def sources(*names):
        for name in names:
            with open(copy / name, "a") as file:
                file.write("# more\n")
            yield code_version()["source"]

    shows = ("cli/runs.py", "formatting/numbers.py", "reporting/page/evaluation.py", "study/run.py")
    assert {*sources(*shows, "progress.py", "runs/provenance.py")} == {here}
    computes = ("encoding/losses.py", "config/schema.py", "speech/wavlm.py", "encoding/new.py")
    assert len({here, *sources(*computes)}) == 5


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
