"""Everything that is wrong with a data set, before a run: all problems at once.

check_dataset  read a data set from end to end
Report         what came out: problems, counts, whether it can be used
Problem        one thing that is wrong, and the next step
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
