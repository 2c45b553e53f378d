"""What the controller costs at scale: `make bench`."""
