"""What users look at. Figures for papers are in `reporting.figures`.

write_report  one page of evaluations, comparisons and transfers
open_maps     maps for other tools
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
