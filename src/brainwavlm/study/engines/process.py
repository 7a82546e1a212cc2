"""`python -m brainwavlm.study.engines.process`: one cell of the local engine. Task from stdin, state to stdout.

stdin stays open for as long as the study lives: when it closes, nobody waits for this cell any more, and it stops.
"""

import json
import os
import sys
import threading

from brainwavlm.study.work import run_cell


def _stop_with_the_study() -> None:
    # From the descriptor: a thread that waits in sys.stdin would hold its lock while the interpreter ends.
    while os.read(0, 4096):
        pass
    os._exit(1)


def main() -> None:
    """Work on the cell that stdin names."""
    line = bytearray()
    while not line.endswith(b"\n"):
        more = os.read(0, 1)
        if not more:
            sys.exit(1)
        line += more
    threading.Thread(target=_stop_with_the_study, daemon=True).start()
    state = run_cell(json.loads(line))
    print(json.dumps(state), flush=True)


if __name__ == "__main__":
    main()
