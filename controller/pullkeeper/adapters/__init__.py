"""Everything outside the process, one adapter per party."""
