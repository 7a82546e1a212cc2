"""What a run does, as frozen data: the schema is the only home of defaults; files, presets and overrides fill it."""

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
from brainwavlm.config.losses import CONTROLS, ControlConfig, ControlKind, LossConfig
from brainwavlm.config.schema import (
    AdapterConfig,
    AlignmentConfig,
    BackboneConfig,
    EvaluationConfig,
    ListenerConfig,
    OrderEnd,
    QuirksConfig,
    ReadoutConfig,
    RidgeConfig,
    RunConfig,
    TrainingConfig,
    WindowConfig,
)
from brainwavlm.config.step import Step
from brainwavlm.config.yaml_files import read_mapping, read_yaml
