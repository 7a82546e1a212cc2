"""Features to voxels: alignment, ridge, targets, losses, controls, tuning.

Alignment, the same for tuning and scores:
    lanczos_matrix  weights from windows to TRs
    delayed         copies of the features, one a delay
    story_clock     windows and TRs of a story on one clock
    StoryClock      makes design matrices of a story

Ridge:
    solve_ridge     closed form, with a penalty for each voxel
    ridge_batches   penalties by cross-validation over stories, some voxels at a time
    story_folds     folds of whole stories

Losses:
    spatial         minus the correlation over voxels
    temporal        minus the correlation over TRs
    mse             mean squared error
    contrastive     each predicted TR has to find its own

Tuning:
    tune            tune a speech model on the responses of subjects
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
