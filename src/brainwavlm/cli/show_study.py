"""What `study run` and `study status` show of the cells of a study."""

import shlex
from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from brainwavlm.cli.console import console, show_table
from brainwavlm.study.folder import CellRecord, StudyFolder


def show_study(folder: StudyFolder) -> None:
    """Print the cells of each experiment, what failed and why, and what is left."""
    for name, experiment in folder.study.experiments.items():
        show_table(experiment_rows(folder, name), title=f"{name}: {experiment.question}".rstrip(": "))
    for record in folder.cells:
        if record.state == "failed":
            console.print(f"[red]failed[/red]  {escape(record.path.name)}", soft_wrap=True)
            console.print(escape(f"  {record.error}"), soft_wrap=True)
    for path in folder.stale:
        console.print(
            f"stale: {escape(str(path))} (other data, code or settings; nothing reads it)", soft_wrap=True
        )
    console.print(counted(folder))
    if any(record.state == "failed" for record in folder.cells):
        console.print("Failed cells are tried again with --retry-failed.")
    place = escape(shlex.quote(str(folder.path)))
    done = all(record.state == "done" for record in folder.cells)
    step = f"report {place}" if done else f"run FILE --output {place}"
    console.print(f"Next:  brainwavlm study {step}", soft_wrap=True)


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
