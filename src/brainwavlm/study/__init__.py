"""Studies: a grid of runs from one file, on this machine or on a Ray cluster.

Study        what the file says
Experiment   one question of it
load_study   read the file
Cell         one combination of its settings
cells_of     all of them
run_study    make each cell once
CellState    how far a cell is
open_study   what is there
StudyFolder  the folder of a study
CellRecord   a cell with its run and its scores
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
