"""One thin module for each outside thing."""
