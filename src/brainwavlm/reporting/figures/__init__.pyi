from .drawing import Drawing as Drawing
from .drawing import draw_figure as draw_figure
from .drawing import write_figure as write_figure
from .folders import Choice as Choice
from .kinds import KINDS as KINDS
