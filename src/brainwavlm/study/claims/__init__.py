"""What the experiments of a study came to.

table        the table of claims
scores       what a cell scored, and groups of cells that differ by seed and subject alone
reading      the same, read from the folders of its steps
rows         gains, differences, spreads, transfer
verdicts     whether it is what was reported, by claim, and under which readout it holds
sentences    what a row says, in words
"""
