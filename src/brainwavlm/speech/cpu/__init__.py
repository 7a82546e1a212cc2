"""The same numbers with less work on a CPU.

linear           matrix products through oneDNN, and LoRA with fewer passes over the frames
gated_attention  WavLM's attention, a few frames at a time
"""
