"""Building the container image: the stages of the Dockerfile and `make image`."""
