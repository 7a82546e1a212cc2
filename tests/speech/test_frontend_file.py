import errno
import os
from dataclasses import replace

import pytest
import soundfile
import torch

from brainwavlm.config import AdapterConfig, WindowConfig
from brainwavlm.errors import BackboneError, ConfigError, DatasetError
from brainwavlm.speech import frontend_file as frontends
from brainwavlm.speech import sound_reader as readers
from brainwavlm.speech.backbones import load_backbone
from brainwavlm.speech.features import sound_reader
from brainwavlm.speech.frontend_file import frontend_file, require_folder
from brainwavlm.stimulus.audio import load_sound
from brainwavlm.stimulus.windows import cut_windows
from tests.models import noise

WINDOWS = WindowConfig(context=0.5, stride=0.1)
STREAM = WindowConfig(context=0.5, stride=0.1, mode="stream", chunk=0.4)
SHARED = WindowConfig(context=0.5, stride=0.1, frontend="shared")


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(1, seconds=3.0)[0].numpy() * 0.3, 16000)
    return path, torch.from_numpy(load_sound(path))


def made(saved, kind, sound, config):
    backbone = load_backbone(saved(kind), 2)
    windows = cut_windows(len(sound[1]), config, backbone.min_samples)
    return sound_reader(backbone, windows, config, sound[1])


def everything(reader):
    return reader.read(range(len(reader.windows)))[2]


@pytest.mark.parametrize(
    ("kind", "config"), [("wavlm", WINDOWS), ("wavlm", STREAM), ("wavlm", SHARED), ("whisper", WINDOWS)]
)
def test_a_file_holds_what_memory_holds_and_is_written_once(
    saved, tmp_path, sound, kind, config, monkeypatch
):
    reader = made(saved, kind, sound, config)
    folder = tmp_path / "kept"
    stored = frontend_file(reader, sound[0], folder)
    expected = reader.kept_frontend()
    assert len(stored) == len(expected)
    for one, other in zip(stored, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    (file,) = folder.iterdir()
    assert 0 <= file.stat().st_size - reader.kept_bytes() <= 256  # the header
    before = file.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr("brainwavlm.speech.frontend_file.load_sound", None)  # nothing is decoded
        again = frontend_file(reader, sound[0], folder)
    assert file.stat().st_mtime_ns == before
    assert torch.equal(again[3], stored[3])


def test_half_precision_takes_half_the_room_and_changes_features_little(saved, tmp_path, sound):
    reader = made(saved, "wavlm", sound, WINDOWS)
    stored = frontend_file(reader, sound[0], tmp_path / "kept", "float16")
    held = reader.kept_frontend("float16")
    assert held[3].dtype == torch.float16
    assert torch.equal(held[3].float(), stored[3])
    computed, read = everything(reader), everything(replace(reader, frontend=stored))
    assert stored[0].dtype == torch.float32
    difference = float((computed - read).norm() / computed.norm())
    assert 0 < difference < 2e-3
    (file,) = (tmp_path / "kept").iterdir()
    assert file.stat().st_size < 0.6 * reader.kept_bytes()


def test_whatever_changes_the_frontend_changes_the_file_and_adapters_do_not(saved, tmp_path, sound):
    def names(kind="wavlm", config=WINDOWS, **adapter):
        backbone = load_backbone(saved(kind), 2, AdapterConfig(**adapter) if adapter else None)
        with torch.no_grad():
            for _, parameter in backbone.adapter_parameters():
                parameter.add_(1.0)
        windows = cut_windows(len(sound[1]), config, backbone.min_samples)
        reader = sound_reader(backbone, windows, config)
        return frontend_file(reader, sound[0], tmp_path / "kept").path.name

    assert names() == names(method="lora") == names(method="full")
    assert len({names(), names(kind="hubert"), names(config=STREAM), names(config=SHARED)}) == 4


def test_a_damaged_file_is_named_with_its_remedy(saved, tmp_path, sound):
    reader = made(saved, "wavlm", sound, WINDOWS)
    path = frontend_file(reader, sound[0], tmp_path / "kept").path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match="Delete it"):
        frontend_file(reader, sound[0], tmp_path / "kept")


@pytest.mark.parametrize("config", [WINDOWS, STREAM], ids=["windows", "stream"])
def test_the_file_grows_as_it_is_written(saved, tmp_path, sound, monkeypatch, config):
    """A file that claims its whole size first is written through memory: a disk that fills up kills the process."""
    reader = made(saved, "wavlm", sound, config)
    sizes = []

    def watched(make):
        def outputs(*args):
            for output in make(*args):
                yield output
                sizes.extend(file.stat().st_size for file in (tmp_path / "kept").iterdir())

        return outputs

    monkeypatch.setattr(type(reader), "outputs", watched(type(reader).outputs))
    reader.backbone.batch_windows = 1
    path = frontend_file(reader, sound[0], tmp_path / "kept").path
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.5 * path.stat().st_size


def test_a_full_disk_names_the_file_and_no_write_that_fails_leaves_anything(
    saved, tmp_path, sound, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    reader = made(saved, "wavlm", sound, WINDOWS)
    with monkeypatch.context() as patch:
        patch.setattr(frontends.np.lib.format, "write_array_header_1_0", full)
        with pytest.raises(OSError, match=r"No space.*\.npy"):
            frontend_file(reader, sound[0], tmp_path / "kept")
    monkeypatch.setattr(
        type(reader.backbone), "frontend", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        frontend_file(reader, sound[0], tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_shared_frontend_is_exact_where_windows_start_on_frames_and_nothing_is_normalised_over_time(
    saved, sound
):
    """One frame is 320 samples, 20 ms: windows every 100 ms start on frames."""
    difference = {}
    for kind in ("wavlm-large", "wavlm"):
        read = [everything(made(saved, kind, sound, config)) for config in (WINDOWS, SHARED)]
        difference[kind] = float((read[0] - read[1]).norm() / read[0].norm())
    assert difference["wavlm-large"] < 1e-5
    assert 1e-4 < difference["wavlm"] < 1.0


def test_a_long_sound_is_shared_in_stretches_without_a_seam(saved, monkeypatch):
    backbone = load_backbone(saved("wavlm-large"), 2)
    sound = noise(1, seconds=3.0)[0]
    windows = cut_windows(len(sound), SHARED, backbone.min_samples)
    whole = sound_reader(backbone, windows, SHARED, sound).kept_frontend()
    monkeypatch.setattr(readers, "_STRETCH", 8000)
    kept = sound_reader(backbone, windows, SHARED, sound).kept_frontend()
    for one, other in zip(kept, whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_whisper_cannot_share_its_frontend(saved, sound):
    with pytest.raises(BackboneError, match="exact"):
        made(saved, "whisper", sound, SHARED).read([0])


def test_batches_follow_the_memory_and_change_no_feature(saved, sound):
    reader = made(saved, "wavlm", sound, WINDOWS)
    backbone, sizes = reader.backbone, []
    for backbone.memory_gb in (1e-9, 0.01, 0.02):
        sizes.append(backbone.windows_at_once(16000))
    assert sizes[0] == 1 < sizes[1]
    assert sizes[2] == pytest.approx(2 * sizes[1], abs=1)
    read = []
    for backbone.memory_gb in (1.0, 1e-9):
        read.append(everything(reader))
    torch.testing.assert_close(read[0], read[1], atol=1e-5, rtol=1e-5)


def test_a_folder_that_cannot_be_used_is_named_before_anything_is_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset.yaml").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "data"):
        with pytest.raises(ConfigError, match=r"training\.frontend_folder"):
            require_folder(folder)
    with pytest.raises(ConfigError, match="Make room"):
        require_folder(tmp_path / "kept", 10**18)
