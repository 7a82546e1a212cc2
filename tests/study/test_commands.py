"""`brainwavlm study` as a user calls it."""

import json
from contextlib import nullcontext

import pytest


@pytest.fixture
def file(study_file):
    return study_file(
        methods={
            "question": "Does tuning help?",
            "grid": {"adapter.method": ["frozen"], "seed": [0]},
            "contrast": "adapter.method",
        },
        broken={"set": {"device": "mps"}},
    )


def test_a_study_is_run_asked_how_far_it_is_and_kept(brainwavlm, file, in_this_process, tmp_path):
    output = tmp_path / "out"
    with in_this_process():
        # One cell fails, the others are there.
        done = brainwavlm("study", "run", file, "--output", output, "--workers", 2, code=1)
    assert "mps is not here" in done.out
    assert "Computing identities of 2 cells" in done.err
    assert "2 cells: 1 done, 1 failed" in done.out
    assert "--retry-failed" in done.out
    assert (output / "study.yaml").read_text() == file.read_text()

    asked = brainwavlm("study", "status", output, "--json")
    rows = json.loads(asked.out)
    assert [row["state"] for row in rows] == ["done", "failed"]
    assert rows[0]["varied"] == {"methods": {"adapter.method": "frozen", "seed": 0}}
    shown = brainwavlm("study", "status", output)
    assert brainwavlm("show", output).out == shown.out
    assert f"Next:  brainwavlm study run FILE --output {output}" in shown.out
    for words in ("methods: Does tuning help?", "method", "frozen", "broken"):
        assert words in shown.out

    again = brainwavlm("study", "run", file, "--output", output, "--only", "methods", "--json")
    assert [row["attempts"] for row in json.loads(again.out)] == [1, 1]
    listed = brainwavlm("runs", output, "--json")
    assert len(json.loads(listed.out)) == 1


# As of the test of `calibrations`.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("in_a_process", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_dry_run_lists_cells_with_hours_and_memory_and_writes_nothing(
    brainwavlm, study_file, in_this_process, tmp_path, in_a_process
):
    file = study_file(methods={"grid": {"seed": [0, 1]}}, broken={"set": {"device": "mps"}})
    before = sorted(tmp_path.rglob("*"))
    words = ["--output", tmp_path / "out", "--dry-run", "--workers", 2]
    with nullcontext() if in_a_process else in_this_process():
        done = brainwavlm("study", "run", file, *words, "--only", "methods", "--json")

    assert sorted(tmp_path.rglob("*")) == before
    found = json.loads(done.out)
    assert [cell["state"] for cell in found["cells"]] == ["new", "new"]
    assert found["calibrations"] == 1
    assert all(cell["hours"] > 0 and cell["memory_gb"] > 0.1 for cell in found["cells"])
    assert found["hours"] == pytest.approx(sum(cell["hours"] for cell in found["cells"]))
    assert found["hours_on_workers"] == pytest.approx(max(cell["hours"] for cell in found["cells"]))
