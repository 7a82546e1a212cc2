"""Folders to and from an object store: fsspec's in memory, and once the protocol of S3."""

import subprocess
import sys
import time
from urllib.request import urlopen

import fsspec
import pytest

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.runs.object_store import RECORD, copy_folder
from brainwavlm.runs.sums import SUMS, write_sums


@pytest.fixture
def store():
    """A store in memory, empty."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    for name in ("run.json", "checkpoints/1/model", "a file"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    write_sums(folder, [file for file in folder.rglob("*") if file.is_file()])
    return folder


def contents(folder):
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != RECORD)
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def test_a_folder_comes_back_as_it_went_and_only_what_changed_is_copied_again(store, folder, tmp_path):
    for name in ("lock", "checkpoints/2.partial/model", RECORD):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    address = "memory://lab/run"
    sent = copy_folder(folder, address)
    assert sent == ["SHA256SUMS", "a file", "checkpoints/1/model", "run.json"]
    back = tmp_path / "back"
    assert copy_folder(address, back) == sent
    assert contents(back) == {name: (folder / name).read_text() for name in sent}
    assert copy_folder(folder, address) == []
    assert copy_folder(address, back) == []
    (folder / "a file").write_text("another")
    assert copy_folder(folder, address, only=["checkpoints"]) == []
    assert copy_folder(folder, address) == ["a file"]
    (back / "run.json").unlink()
    with pytest.raises(RunError, match="lacks the content") as caught:
        copy_folder(address, back)
    assert caught.value.path == str(back / "a file")
    assert (back / "run.json").exists()


@pytest.mark.parametrize("fetches", [True, False])
def test_a_file_that_does_not_arrive_whole_is_named_and_tried_again(
    store, folder, tmp_path, monkeypatch, fetches
):
    copy_folder(folder, "memory://lab/run")
    places = ("memory://lab/run", tmp_path / "back") if fetches else (folder, "memory://lab/other")
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "size", lambda self, path: 3)
        with pytest.raises(RunError, match="bytes arrived"):
            copy_folder(*places)
    assert not (tmp_path / "back" / SUMS).exists()
    assert len(copy_folder(*places)) == 4


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("here", "there", "a folder here and an address"),
        ("memory://a", "memory://b", "a folder here and an address"),
        ("memory://nothing", "here", "no files"),
        ("nothing", "memory://a", "no files"),
        ("nostore://bucket", "here", "nostore"),
    ],
)
def test_places_that_cannot_be_used_are_named(store, tmp_path, source, target, found):
    places = [place if "://" in place else tmp_path / place for place in (source, target)]
    with pytest.raises(ConfigError, match=found):
        copy_folder(*places)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_leads_out_of_the_folder_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr(type(store), "find", lambda self, root: [f"{root}/../secret"])
    with pytest.raises(ConfigError, match=r"a file named \.\./secret"):
        copy_folder("memory://lab/run", tmp_path / "back")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_store_that_speaks_s3(folder, tmp_path, monkeypatch):
    """Needs `pip install s3fs 'moto[server]'`."""
    pytest.importorskip("moto", reason="no local object store: pip install s3fs 'moto[server]'")
    s3fs = pytest.importorskip("s3fs", reason="pip install s3fs")
    place = "http://127.0.0.1:5577"
    settings = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_ENDPOINT_URL": place}
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", "5577"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urlopen(place).close()
                break
            except OSError:
                time.sleep(0.2)
        s3fs.S3FileSystem().mkdir("lab")
        assert len(copy_folder(folder, "s3://lab/run")) == 4
        back = tmp_path / "back"
        copy_folder("s3://lab/run", back)
        assert contents(back) == contents(folder)
        assert copy_folder("s3://lab/run", back) == []
        with pytest.raises(ConfigError, match="s3://elsewhere"):
            copy_folder(folder, "s3://elsewhere/run")
    finally:
        server.kill()
        server.wait()
