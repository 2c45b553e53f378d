"""What makes the image: its parts run in the Dockerfile's build stage, and `make image` runs whatever builds it."""
