"""Figures for papers, from the files that other commands write: sizes in mm, one style file, values beside each.

data_*.py: a tidy table of what each kind shows, for figures and for the charts of the page; draw*.py and brains.py:
the same drawn by matplotlib; style.py and paper.mplstyle: how; save.py: on disk.

draw_figure   a figure and its values
write_figure  the same as files
Drawing       a figure and exactly the values that it shows
KINDS         which kinds there are, and of what
Choice        what of the results is shown
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
