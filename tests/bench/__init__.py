"""What the controller costs at scale: `python -m tests.bench`, or `make bench`."""
