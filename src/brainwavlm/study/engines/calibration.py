"""`python -m brainwavlm.study.engines.calibration`: the plan of one configuration. Task from stdin, plan to stdout."""

import json
import sys

from brainwavlm.config import RunConfig, validated
from brainwavlm.errors import BrainwavlmError
from brainwavlm.study.work import limit_threads


def main() -> None:
    """Time a few steps of the configuration that stdin holds."""
    from brainwavlm.encoding.plan import plan

    task = json.load(sys.stdin)
    limit_threads(task["cpus"])
    try:
        answer = {"plan": plan(validated(RunConfig, task["config"], "cell")).as_dict()}
    except BrainwavlmError as error:
        answer = {"error": error.as_dict()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
