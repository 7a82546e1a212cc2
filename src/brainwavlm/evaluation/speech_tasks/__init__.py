"""Is it still good at speech, or better? Small heads on hidden states, before and after tuning.

downstream   one task for runs and the models that they started from
tasks        what is asked: labels of spans and utterances, sequences of phones or characters
states       hidden states of utterances, each heard alone
heads        weighted sums of hidden states, what follows them, and how they are trained
recognition  sequences from frames (CTC), and their errors
synthesis    sound from hidden states again: log-mel energies, Griffin-Lim, mel-cepstral distortion
"""
