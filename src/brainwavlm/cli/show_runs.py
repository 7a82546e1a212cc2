"""What `runs` and `show` print, for people. No science; files are read by `brainwavlm.runs.listing`."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from brainwavlm.cli import console as terminal
from brainwavlm.config import CONTROLS, RunConfig
from brainwavlm.errors import BrainwavlmError, printable
from brainwavlm.runs.listing import run_state, scores_of
from brainwavlm.runs.provenance import hours_of, read_provenance
from brainwavlm.runs.run import Run

COLOURS = {"done": "green", "running": "cyan", "failed": "red", "damaged": "red", "killed": "yellow"}
# Where there is room, the first first.
FURTHER = ("control", "target", "subject", "method", "seed", "dataset")
NAME = 32  # cells that a name keeps before further columns are left out
MOST_EPOCHS = 12  # rows of the table of epochs


def show_runs(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """The result of `runs`: name, state, age and scores in any width, further columns where there is room."""
    whole = [row for row in rows if row["state"] != "damaged"]
    if not rows:
        _line(f"No runs in {printable(folder)} or below.")
        _line("Make one:  brainwavlm tune CONFIG --output FOLDER, or all at once: brainwavlm demo")
        return
    if whole:
        _table(whole)
        simulated = sum(bool(row["simulated"]) for row in whole)
        if simulated:
            which = "All responses are" if simulated == len(whole) else f"Responses of {simulated} runs are"
            _note(f"{which} SIMULATED: such scores show that the method works, and say nothing about brains.")
    for row in rows:
        if row["state"] == "damaged":
            _line(f"Skipped, damaged: {printable(row['run'])}: {printable(row['problem'])}")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    console = terminal.console
    shown, hidden = list[str](), list[str]()
    for name in FURTHER:
        if name == "control" and all(row["control"] == "none" for row in rows):
            continue
        needed = Measurement.get(
            console, console.options.update(width=1000), _grid(rows, [*shown, name], NAME)
        )
        # What a control is like must never be taken for a run on what the subject heard.
        (shown if name == "control" or needed.maximum <= console.width else hidden).append(name)
    console.print(_grid(rows, shown))
    _note(
        "valid r: of the best epoch, by the readout that tunes along. test r, change: on the run's target, ridge on "
        "tuned features, and against the untuned model, of joint runs the mean over subjects; - before "
        "`brainwavlm evaluate RUN`. More: brainwavlm show RUN"
    )
    if hidden:
        _note(f"Left out for lack of room: {', '.join(hidden)}. A wider terminal or --json has all.")


def _grid(rows: Sequence[Mapping[str, Any]], further: Sequence[str], name_width: int | None = None) -> Table:
    """Names are folded, never cut; `name_width` is what they get at most."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold", max_width=name_width)
    for name in ("state", "age", "valid r", "test r", "change", *further):
        right = name not in ("state", *FURTHER) or name == "seed"
        table.add_column(name, no_wrap=True, justify="right" if right else "left", max_width=24)
    for row in rows:
        table.add_row(
            Text(printable(row["run"])),
            Text(row["state"], style=COLOURS.get(row["state"], "")),
            _age(row["age_seconds"]),
            _score(row["validation_r"]),
            _score(row["test_r"]),
            _score(row["change"], "+"),
            *(Text(printable(row[name])) for name in further),
        )
    return table


def show_run(run: Run) -> None:
    """The result of `show`: what was asked, how it went, what came out, where the files are, what to do next."""
    config, state, went = run.config, run_state(run), run.course
    scored = scores_of(run)  # read before anything is printed: a damaged file is an error, not half a page
    try:
        recorded, problem = read_provenance(run.path), ""
    except BrainwavlmError as error:
        recorded, problem = None, f"not readable ({error.found})"
    simulated = "  SIMULATED RESPONSES" if run.manifest["data"]["simulated"] else ""
    _heading(f"{printable(run.path)}: {state}{simulated}")
    _asked(run, config)
    _went(config, went, state, recorded, problem)
    _result(run, scored)
    _files(run, went)
    _next(run, state, went, bool(scored))


def _asked(run: Run, config: RunConfig) -> None:
    _heading("Asked")
    for side in run.sides:
        data = side.manifest["data"]
        voxels = f"{data['n_target']:,} of {data['n_voxels']:,} voxels"
        _entry("data", f"{data['dataset']}, {data['subject']}, target {config.target}: {voxels}")
        stories = ", ".join(f"{len(some)} {split}" for split, some in side.manifest["splits"].items())
        _entry("stories", stories)
    rank = f", rank {config.adapter.rank}" if config.adapter.method == "lora" else ""
    _entry("model", f"{config.backbone.name}, layer {config.backbone.layer}, {config.adapter.method}{rank}")
    _entry("training", f"up to {config.training.epochs} epochs, seed {config.seed}")
    if config.control.kind != "none":
        _entry("CONTROL:", f"tuned on {CONTROLS[config.control.kind]}")
        for subject, r in run.manifest.get("residual_r", {}).items():
            spread = f"{r['mean']:+.3f}, deviation over voxels {r['deviation']:.3f}"
            _entry("residual r", f"of these targets with the true responses of {subject}: {spread}")


def _went(
    config: RunConfig, went: Mapping[str, Any], state: str, recorded: Mapping[str, Any] | None, problem: str
) -> None:
    _heading("How it went")
    history, best, most = went["history"], went["best"], config.training.epochs
    _entry("state", f"{state}, {sum(row['epoch'] > 0 for row in history)} of at most {most} epochs")
    if recorded is None:
        _entry("time", problem or "not recorded: tuned by a version that kept no record")
    elif recorded["sessions"]:
        number = len(recorded["sessions"])
        hours = terminal._duration(3600 * hours_of(recorded))
        _entry("time", f"{hours} in {number} session{'s' if number > 1 else ''}")
        last = recorded["sessions"][-1]
        cpu, cores, accelerator = map(last["machine"].get, ("cpu", "cores", "accelerator"))
        _entry("machine", f"{cpu}, {cores} cores, accelerator {accelerator}")
        git = last["code"].get("git")
        _entry("code", f"brainwavlm {last['code'].get('version')}{f', git {git[:12]}' if git else ''}")
        if last["command"]:
            _entry("command", last["command"])
        if state == "failed" and last["error"]:
            _entry("error", last["error"].splitlines()[0])
    if history:
        kept = best["epoch"] if best else None
        columns = {"loss": "loss", "validation r": "validation_r", "gradient norm": "gradient_norm"}
        rows = [
            {"epoch": row["epoch"], **{name: row.get(key) for name, key in columns.items()}}
            | {"": "best" if row["epoch"] == kept else ""}
            for row in history
        ]
        terminal.show_table([row for row in rows if row["epoch"] in _some_epochs(rows, kept)])


def _result(run: Run, scored: Sequence[Mapping[str, Any]]) -> None:
    if not scored:
        return
    _heading("Result on test stories: ridge on the untuned and on the tuned features")
    rows = []
    for row in scored:
        own = " (tuned on)" * (row["target"] == run.config.target)
        ends = "-" if row["low"] in (None, row["high"]) else f"{row['low']:+.4f} to {row['high']:+.4f}"
        rows.append({"listener": row["subject"]} if len(run.sides) > 1 else {})
        rows[-1] |= {"target": row["target"] + own, "voxels": row["n_voxels"], "frozen r": row["r_frozen"]}
        rows[-1] |= {
            "tuned r": row["r_tuned"],
            "change": _score(row["difference"], "+"),
            "95 % interval": ends,
        }
    terminal.show_table(rows)


def _files(run: Run, went: Mapping[str, Any]) -> None:
    _heading("Files")
    checkpoint = (went["best"] or {}).get("checkpoint")
    places = {"best epoch": f"checkpoints/{checkpoint}"} if checkpoint else {}
    places |= {"log": "log.jsonl", "record": "provenance.json", "scores": "evaluation"}
    for name, place in (places | {"page": "evaluation/report.html"}).items():
        if (run.path / place).exists():
            _entry(name, run.path / place)


def _next(run: Run, state: str, went: Mapping[str, Any], evaluated: bool) -> None:
    place = shlex.quote(str(run.path))
    page = run.path / "evaluation" / "report.html"
    if state == "running":
        step = f"wait for it; its lines are in {printable(run.path / 'log.jsonl')}"
    elif state != "done":
        step = f"brainwavlm tune --resume --output {printable(place)}"
    elif went["best"] is None:
        step = "no epoch was asked for: tune again with training.epochs of 1 or more"
    elif not evaluated:
        step = f"brainwavlm evaluate {printable(place)}"
    elif not page.is_file():
        step = f"brainwavlm report {printable(place)}"
    else:
        step = f"open {printable(page)} in a browser"
    _heading("Next")
    _line(f"  {step}")


def _some_epochs(rows: Sequence[Mapping[str, Any]], kept: int | None) -> set[int]:
    """All epochs of a short run; of a long one the first, the last, the best and some between."""
    epochs = [row["epoch"] for row in rows]
    if len(epochs) <= MOST_EPOCHS:
        return set(epochs)
    step = -(-len(epochs) // (MOST_EPOCHS - 2))
    return {*epochs[::step], epochs[-1], *([kept] if kept is not None else [])}


def _score(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.4f}"


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _heading(text: str) -> None:
    terminal.console.print(Text(text, style="bold"), soft_wrap=True)


def _entry(name: str, value: object) -> None:
    _line(f"  {name:<14}{printable(value)}")


def _line(text: str) -> None:
    terminal.console.print(Text(text), soft_wrap=True)


def _note(text: str) -> None:
    terminal.show_sentences(text, style="dim")
