"""The image, built from the real Dockerfile and run as a kubelet would."""
