from .alignment import (
    StoryClock as StoryClock,
)
from .alignment import (
    delayed as delayed,
)
from .alignment import (
    lanczos_matrix as lanczos_matrix,
)
from .alignment import (
    story_clock as story_clock,
)
from .losses import contrastive as contrastive
from .losses import mse as mse
from .losses import spatial as spatial
from .losses import temporal as temporal
from .ridge import ridge_batches as ridge_batches
from .ridge import solve_ridge as solve_ridge
from .ridge import story_folds as story_folds
from .tuning import tune as tune
