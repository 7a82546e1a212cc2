"""Fine-tune speech models on recordings of people listening to stories, and score what that changed.

    import brainwavlm
    config = brainwavlm.load_config(preset="demo")
    run = brainwavlm.tune(config, "my-run")
    scores = brainwavlm.evaluate(run)
    print(scores.table)

Names are imported when they are first used, so that `import brainwavlm` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainwavlm.checks import check_dataset
    from brainwavlm.config import RunConfig, load_config
    from brainwavlm.datasets import load_dataset
    from brainwavlm.encoding.plan import plan
    from brainwavlm.encoding.tuning import tune
    from brainwavlm.evaluation.compare import compare
    from brainwavlm.evaluation.evaluate import evaluate, score_backbone
    from brainwavlm.evaluation.transfer import transfer
    from brainwavlm.reporting.maps import open_maps
    from brainwavlm.reporting.page.report import write_report
    from brainwavlm.runs.run import Run, open_run
    from brainwavlm.speech.backbones import load_backbone

__version__ = "0.1.0"

_HOMES = {
    "load_dataset": "brainwavlm.datasets",
    "check_dataset": "brainwavlm.checks",
    "RunConfig": "brainwavlm.config",
    "load_config": "brainwavlm.config",
    "load_backbone": "brainwavlm.speech.backbones",
    "plan": "brainwavlm.encoding.plan",
    "tune": "brainwavlm.encoding.tuning",
    "Run": "brainwavlm.runs.run",
    "open_run": "brainwavlm.runs.run",
    "evaluate": "brainwavlm.evaluation.evaluate",
    "score_backbone": "brainwavlm.evaluation.evaluate",
    "compare": "brainwavlm.evaluation.compare",
    "transfer": "brainwavlm.evaluation.transfer",
    "write_report": "brainwavlm.reporting.page.report",
    "open_maps": "brainwavlm.reporting.maps",
}

__all__ = [
    "load_dataset",
    "check_dataset",
    "RunConfig",
    "load_config",
    "load_backbone",
    "plan",
    "tune",
    "Run",
    "open_run",
    "evaluate",
    "score_backbone",
    "compare",
    "transfer",
    "write_report",
    "open_maps",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'brainwavlm' has no attribute {name!r}")
