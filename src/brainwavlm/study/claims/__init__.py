"""What the experiments of a study came to.

table        the table of claims
paper        the claims, by number
scores       what a cell scored
reading      the same, read from the folders of its steps
groups       cells that differ by seed and subject alone
rows         gains, differences, spreads, transfer
verdicts     whether it is what was reported, and under which readout it holds
sentences    what a row says, in words
"""
