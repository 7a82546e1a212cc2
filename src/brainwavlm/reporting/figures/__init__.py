"""Figures for papers, from the files that other commands write: sizes in mm, one style file, values beside each.

A kind is in one file: the tidy table of what it shows, for the charts of the page too, and how matplotlib draws it
(lines in lines.py, dots with intervals in forest.py, maps in brains.py). style.py and paper.mplstyle: how all look.

draw_figure   a figure and its values
write_figure  the same as files
Drawing       a figure and exactly the values that it shows
KINDS         which kinds there are, and of what
Choice        what of the results is shown
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
