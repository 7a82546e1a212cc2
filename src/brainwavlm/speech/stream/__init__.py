"""A story read in one pass: another model of context than windows.

layout    where a story is cut, and which frame may see which
frontend  from sound to the first block, without the future
reader    features at the ends of windows
"""
