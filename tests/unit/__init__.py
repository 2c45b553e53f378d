"""The shell tier: each part around the core by itself, with fakes of a hand's size and virtual time."""
