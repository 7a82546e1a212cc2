"""What hidden states hold: features of the stimulus read off them by ridge, beside controls.

probe      both models of runs, by hidden state and feature, on their test stories
question   all that is asked on the stories of a run, known before a model is run; the bag of low-level features
tasks      a feature as a task: units with a value, and which of them are fitted and tested
fits       ridge from vectors to values
rows       of the tables
scores     r, R2, AUC and F1 of both models under each control, with paired intervals
"""
