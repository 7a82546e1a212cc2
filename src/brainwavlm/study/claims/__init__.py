"""What the experiments of a study came to: `table` makes the rows, `paper` lists the claims that they answer."""
