"""The command line: one function a command, no science in it. Heavy imports stay inside the commands."""

import atexit
import errno
import gc
import io
import os
import sys
from typing import Annotated, Any

import typer
import typer.core

from brainwavlm import __version__
from brainwavlm.cli import data, models, outputs, probes, runs, scores
from brainwavlm.cli.options import in_words_of, option, wrong_words
from brainwavlm.cli.study import study
from brainwavlm.errors import BrainwavlmError, printable

_UsageError: Any = typer.BadParameter.__base__  # of the click that this typer comes with


class _Commands(typer.core.TyperGroup):
    """Commands that tell wrong words as they tell all else that is wrong."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                raise
            raise wrong_words(error) from None


app = typer.Typer(
    cls=_Commands,
    help="Fine-tune speech models on recordings of people listening to stories, and score what that changed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command(short_help="Do the whole job on the embedded data set.")(runs.demo)
app.command(short_help="List everything that is wrong with a data set.")(data.check)
app.command(short_help="List the voxel sets of a subject, with their sizes.")(data.targets)
app.command(short_help="Say what a tuning run would do and cost.")(runs.plan)
app.command(short_help="Fine-tune a speech model on the responses of subjects.")(runs.tune)
app.command(short_help="Compute the features of all layers once, into a folder.")(data.features)
app.command(short_help="Score a speech model as it is, by closed-form ridge.")(scores.ridge)
app.command(short_help="Score runs on held-out stories, frozen against tuned.")(scores.evaluate)
app.command(short_help="Read features of the stimulus off hidden states.")(probes.probe)
app.command(short_help="Say which features explain a score and its gain.")(probes.partition)
app.command(short_help="Train heads for speech tasks on hidden states.")(probes.downstream)
app.command(short_help="Compare configurations over their seeds.")(scores.compare)
app.command(short_help="Score models tuned on one subject in others.")(scores.transfer)
app.command(short_help="Make one self-contained page of results.")(outputs.report)
app.command(short_help="Draw a figure for a paper from results.")(outputs.figure)
app.command(short_help="Write maps as NIfTI and GIFTI files for other tools.")(outputs.maps)
app.command(short_help="Write a run as a folder that transformers reads.")(models.export)
app.command(short_help="Predict the responses to sounds of any length.")(models.predict)
app.command(short_help="Compare a model or a run with its checksums.")(models.verify)
app.command(short_help="Copy a folder from or to an object store.")(models.copy)
app.command(short_help="List runs with their state, age and scores.")(runs.runs)
app.command(short_help="Show how a run went, and what to do next.")(runs.show)
app.add_typer(study, name="study", short_help="Run a grid of cells from one file, each once.")


def main() -> None:
    """Run the command line; bad input ends with its message and exit code 2, never with a traceback.

    A run that failed and a full disk end with 1: the same command can go on once there is room.
    """
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal's encoding lacks is escaped, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Activations in large pages, as NumPy asks for its arrays: a run faults twenty times less. PyTorch reads this
    # at its first large tensor.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # Importing makes half a million objects: looking through them again and again takes a fifth of its time.
    gc.set_threshold(50_000, 20, 100)
    atexit.register(gc.freeze)  # and once more at the end, when all is given back anyway, two seconds
    # Threads that spin wait long for one that others' processes keep off its core; on an idle machine spinning is best.
    busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.75 * (os.cpu_count() or 1)
    if busy and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        app(standalone_mode=True)
    except BrainwavlmError as error:
        print(in_words_of(error, _running()), file=sys.stderr)
        sys.exit(1 if _is_full_disk(error.__context__) else error.exit_code)
    except OSError as error:
        place = error.filename or "a file that was read or written"
        print(
            f"{printable(place)}: {error.strerror or error}.\n    Expected a place that can be read or written.",
            file=sys.stderr,
        )
        print("    Choose another path, or mend its permissions or its disk.", file=sys.stderr)
        sys.exit(1 if _is_full_disk(error) else 2)
    except KeyboardInterrupt:
        print("Stopped. A tuning run goes on from its last checkpoint with --resume.", file=sys.stderr)
        sys.exit(130)


def _running() -> Any:
    """The command that the words of the command line name."""
    command: Any = typer.main.get_command(app)
    for word in sys.argv[1:]:
        command = getattr(command, "commands", {}).get(word, command)
    return command


def _is_full_disk(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, option("--version", "Print the version and the digest of the code.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from brainwavlm.runs.environment import code_version

        print(f"{__version__} (code {code_version()['source'][:10]})")
        raise typer.Exit
