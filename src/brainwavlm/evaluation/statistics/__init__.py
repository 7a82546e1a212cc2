"""Tests and intervals.

tests              the tests that a configuration asks for
block_permutation  blocks in another order; blocks swapped between two models; signs over subjects
permutation_test   what all of these count; a correlation against predictions turned in time
jackknife          intervals of means over test stories
auc                areas under the curve, and their intervals
"""
