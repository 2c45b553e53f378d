"""What the controller costs at scale: `python -m tools.bench`, or `make bench`."""
