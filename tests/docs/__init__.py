"""Documents: their names, links and words agree with the code."""
