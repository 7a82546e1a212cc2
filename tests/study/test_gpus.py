"""Cells at once do not meet on a GPU unless they were asked to, whichever engine works on them."""

import pytest
import torch

from brainwavlm.errors import ConfigError
from brainwavlm.study.engines.local import run_local, shared_gpus
from brainwavlm.study.engines.ray import require_room
from tests.study.test_run import a_task


@pytest.fixture
def with_gpus(monkeypatch):
    """A function that makes a machine of so many GPUs, of which CUDA_VISIBLE_DEVICES shows some."""

    def make(n_gpus, visible=None):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return make


@pytest.mark.parametrize(
    ("here", "device", "workers", "gpus", "seen"),
    [
        ((2,), "auto", 2, None, ["0", "1"]),
        ((2, "3,GPU-5f"), "auto", 2, None, ["3", "GPU-5f"]),  # as Slurm gives them
        ((2,), "auto", 3, 0.5, ["0", "1", "0"]),
        ((2,), "cpu", 8, None, [None] * 8),
        ((2,), "auto", 8, 0, [""] * 8),
        ((0, ""), "auto", 8, None, [None] * 8),
    ],
)
def test_each_cell_at_once_sees_a_gpu_of_its_own(tmp_path, with_gpus, here, device, workers, gpus, seen):
    with_gpus(*here)
    assert shared_gpus([a_task(tmp_path, {}, config={"device": device})], workers, gpus) == seen


@pytest.mark.parametrize(
    ("n_gpus", "workers", "gpus", "words"),
    [(2, 4, None, "4, each with 1 GPU"), (2, 5, 0.5, "room for 4"), (0, 1, 1, "room for 0")],
)
def test_more_cells_at_once_than_gpus_are_refused(tmp_path, with_gpus, n_gpus, workers, gpus, words):
    with_gpus(n_gpus)
    with pytest.raises(ConfigError, match=f"(?s){words}.*with gpus: 0 cells compute on the CPU"):
        run_local([a_task(tmp_path, {}, config={"device": "auto"})], workers, 0, lambda state: None, gpus)


def test_processes_of_cells_at_work_together_see_other_gpus(tmp_path, with_gpus, cells_do):
    with_gpus(2)
    tasks = [a_task(tmp_path, {}, folder=f"cell{n}", config={"device": "auto"}) for n in range(6)]
    cells_do(
        "gpu = pathlib.Path(task['study'], 'gpu' + os.environ['CUDA_VISIBLE_DEVICES'])\n"
        "gpu.touch(exist_ok=False)\n"
        "time.sleep(0.1)\n"
        "gpu.rename(gpu.parent / ('used' + gpu.name))"
    )
    ended = []
    run_local(tasks, workers=2, retries=0, finished=ended.append)
    assert [state.state for state in ended] == ["done"] * 6
    assert {path.name for path in tmp_path.glob("*gpu*")} == {"usedgpu0", "usedgpu1"}


CLUSTER = [{"CPU": 64.0, "memory": 4e11}, {"CPU": 16.0, "GPU": 2.0, "memory": 1e11}]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"CPU": 32, "GPU": 1, "memory": 0}, "32 CPUs, 1 GPUs .*the best has 16 CPUs, 2 GPUs"),
        ({"CPU": 1, "GPU": 1, "memory": 2e11}, r"200\.0 GB for each cell"),
        ({"CPU": 1, "GPU": 0, "memory": 0}, "(?s)gpus: 0 for each cell.*gpus: 1"),
    ],
)
def test_what_a_machine_of_the_cluster_has_is_granted_and_what_none_has_is_refused(tmp_path, asked, words):
    for granted, device in (
        ({"CPU": 8, "GPU": 1, "memory": 5e10}, "cuda"),
        ({"CPU": 64, "GPU": 0, "memory": 2e11}, "cpu"),
    ):
        require_room(CLUSTER, granted, [a_task(tmp_path, {}, config={"device": device})])
    with pytest.raises(ConfigError, match=words):
        require_room(CLUSTER, asked, [a_task(tmp_path, {}, config={"device": "auto"})])
