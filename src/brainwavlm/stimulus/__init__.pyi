from .audio import load_sound as load_sound
from .decoded_sound import sound_facts as sound_facts
from .transcripts import Transcript as Transcript
from .transcripts import read_transcript as read_transcript
from .windows import Windows as Windows
from .windows import cut_windows as cut_windows
from .word_vectors import read_embeddings as read_embeddings
