"""A study as rows: for the terminal and for `--json`."""

from collections.abc import Mapping
from typing import Any

from brainwavlm.study.folder import CellRecord, StudyFolder


def status_rows(folder: StudyFolder) -> list[dict[str, Any]]:
    """One row a cell: name, experiments, varied keys by experiment, state, attempts, seconds, error, folder."""
    return [
        {
            "cell": record.cell.name,
            "experiments": list(record.cell.experiments),
            "varied": record.cell.varied,
            "state": record.state,
            "attempts": record.attempts,
            "seconds": record.seconds,
            "error": record.error,
            "path": str(record.path),
        }
        for record in folder.cells
    ]


def experiment_rows(folder: StudyFolder, experiment: str) -> list[dict[str, Any]]:
    """One row a cell of an experiment: the keys that it varies by their last part, state, attempts, seconds."""
    records = folder.of(experiment)
    keys = folder.study.experiments[experiment].varied_keys
    return [
        {**_varied(record, experiment, keys), "state": record.state, "tries": record.attempts}
        | {"seconds": None if record.seconds is None else round(record.seconds)}
        for record in records
    ]


def counted(folder: StudyFolder) -> str:
    """`12 cells: 9 done, 1 failed, 2 waiting`."""
    states = [record.state for record in folder.cells]
    counts = ", ".join(
        f"{states.count(state)} {state}"
        for state in ("done", "running", "failed", "waiting")
        if state in states
    )
    return f"{len(states)} cells: {counts}"


def _varied(record: CellRecord, experiment: str, keys: tuple[str, ...]) -> dict[str, Any]:
    values: Mapping[str, Any] = record.cell.varied[experiment]
    if not keys:
        return {"cell": record.cell.name}
    last = [key.split(".")[-1] for key in keys]
    return {
        name if last.count(name) == 1 else key: _shown(values.get(key))
        for key, name in zip(keys, last, strict=True)
    }


def _shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float) or value is None else str(value)
