"""What commands that score leave: one class a result, with save() and open(). No torch.

Evaluation   frozen against tuned, by target, voxel, layer and task
Comparison   configurations over their seeds
Partition    which features explain a score
Probes       features read off hidden states
SpeechTask   heads on hidden states, by task
Transfer     who was tuned on, who is scored
Replicates    what is behind intervals, so that scores of different evaluations can be paired
open_result  whichever of them lies in a folder
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
