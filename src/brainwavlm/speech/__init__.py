"""Speech models: windows of sound to features.

load_backbone  a speech model from the hub or a folder, perhaps with adapters
Backbone       a speech model: frozen frontend, blocks, adapters
FAMILIES       a row a kind of model: WavLM, HuBERT, wav2vec 2.0, Whisper
Family         how a kind of model is read
extract        features of a whole sound
cached         the same, kept on disk
StoryFeatures  features of a sound, by hidden state
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
