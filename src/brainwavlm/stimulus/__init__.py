"""Sound, windows of it, and what is said in it.

load_sound       a sound file as the speech models hear it: 16 kHz, mono
sound_facts      what decoding gives: length, levels, loudness
Windows          stretches of sound, and when each ends
cut_windows      cut a sound into windows
Transcript       phones and words with their times
read_transcript  read a TextGrid
read_embeddings  vectors of words, from a file
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
