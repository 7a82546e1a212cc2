"""A run folder, and nothing of science.

Run          settings, history, best epoch, checkpoints
open_run     open a run folder
run_folders  the runs in a folder
copy_folder  a folder from an object store, or to one
summaries    a row a run: state, age, scores
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
