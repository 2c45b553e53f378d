"""The image: built by the real Dockerfile, and run as a cluster would run it."""
