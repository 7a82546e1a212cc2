from .backbones import load_backbone as load_backbone
from .families import FAMILIES as FAMILIES
from .families import Family as Family
from .features import StoryFeatures as StoryFeatures
from .features import cached as cached
from .features import extract as extract
from .hidden_states import Backbone as Backbone
