"""`python -m brainwavlm` does what `brainwavlm` does."""

from brainwavlm.cli import main

main()
