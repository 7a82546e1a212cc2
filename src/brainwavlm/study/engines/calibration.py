"""`python -m brainwavlm.study.engines.calibration CPUS`: a configuration a line from stdin, its plan to stdout.

Each is planned in a process of its own, so that its peak of memory is that of this cell alone. Where processes can be
forked they share what all of them import, which takes longer than the few steps that are timed.
"""

import json
import multiprocessing
import sys
from typing import Any

import torch

from brainwavlm.config import RunConfig, validated
from brainwavlm.encoding.plan import plan
from brainwavlm.errors import BrainwavlmError
from brainwavlm.study.work import limit_threads


def answer(config: dict[str, Any]) -> dict[str, Any]:
    """The plan of a configuration, or its error."""
    try:
        return {"plan": plan(validated(RunConfig, config, "cell")).as_dict()}
    except BrainwavlmError as error:
        return {"error": error.as_dict()}


def _print_answer(line: str, cpus: int) -> None:
    limit_threads(cpus)
    print(json.dumps(answer(json.loads(line))), flush=True)


def main() -> None:
    """Time a few steps of each configuration."""
    cpus = int(sys.argv[1])
    limit_threads(cpus)
    # Neither what drives a card nor libraries of other systems may be forked.
    forked = sys.platform == "linux" and not torch.cuda.is_available()
    multiprocessing.set_start_method("fork" if forked else "spawn")
    for line in sys.stdin:
        process = multiprocessing.Process(target=_print_answer, args=(line, cpus))
        process.start()
        process.join()
        if process.exitcode:
            print(json.dumps({"exit": process.exitcode}), flush=True)


if __name__ == "__main__":
    main()
