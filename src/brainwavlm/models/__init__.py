"""Models that travel: a run as a folder that others read, and predictions of responses to any sound.

export      a run as a folder of transformers, with its readouts and a model card
load        an exported folder, a model on the hub or a run
verify      every file against its checksum, and the example predicted again
BrainModel  hidden states and responses of sounds
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
