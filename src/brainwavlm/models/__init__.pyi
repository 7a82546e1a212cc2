from .brain_model import BrainModel as BrainModel
from .export import export as export
from .opening import load as load
from .opening import verify as verify
