"""What the experiments of a study came to, beside what was reported: `table` makes the rows, `paper` lists the claims."""
