"""What a run does, as frozen data: the schema is the only home of defaults; files, presets and overrides fill it."""

from brainwavlm.config.controls import CONTROLS, ControlConfig, ControlKind
from brainwavlm.config.loading import (
    PRESETS,
    flattened,
    gigabytes,
    known_keys,
    load_config,
    parse_overrides,
    stored_config,
    validated,
)
from brainwavlm.config.schema import (
    AdapterConfig,
    AlignmentConfig,
    BackboneConfig,
    EvaluationConfig,
    ListenerConfig,
    LossConfig,
    OrderEnd,
    QuirksConfig,
    ReadoutConfig,
    RidgeConfig,
    RunConfig,
    TrainingConfig,
    WindowConfig,
)
from brainwavlm.config.step import Step
from brainwavlm.config.yaml_files import parsed_with_faults, read_yaml

__all__ = [
    "load_config",
    "parse_overrides",
    "read_yaml",
    "validated",
    "stored_config",
    "parsed_with_faults",
    "gigabytes",
    "flattened",
    "known_keys",
    "PRESETS",
    "RunConfig",
    "BackboneConfig",
    "WindowConfig",
    "AdapterConfig",
    "AlignmentConfig",
    "ReadoutConfig",
    "LossConfig",
    "TrainingConfig",
    "ControlConfig",
    "ControlKind",
    "CONTROLS",
    "QuirksConfig",
    "RidgeConfig",
    "EvaluationConfig",
    "ListenerConfig",
    "OrderEnd",
    "Step",
]
