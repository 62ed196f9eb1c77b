"""From weights to answers: scores, draws and completions, in numpy."""
