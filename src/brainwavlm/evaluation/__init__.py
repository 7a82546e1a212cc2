"""Scores on held-out stories. `evaluate`, `compare` and `transfer` are names of `brainwavlm` itself.

    score_backbone  ridge on a speech model as it is
    EncodingScore   what it gives
    ScoringPlan     what a score needs, checked before features are read
    Evaluator       models and features that several runs share
    correlation     r of each voxel
    StoryRidgeCV    ridge by stories for features of your own, as scikit-learn's estimators are

Noise ceiling:
    cc_max          the r that a perfect model would reach
    cc_norm         share of the ceiling that a prediction reaches
    spe             share of the signal's power that is explained
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
