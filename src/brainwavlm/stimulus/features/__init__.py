"""Features of the stimulus: what can be said of a moment of sound without any brain or speech model.

table      FEATURES: the name, kind and source of each, and the function that makes it
stimuli    what they are made of: sounds, and what is said when
units      stretches, phones and words that have a value, and what lies within them
acoustic   of the sound, every 10 ms
labels     of phones and words, by what they are
files      tables of the user's, by time
"""
