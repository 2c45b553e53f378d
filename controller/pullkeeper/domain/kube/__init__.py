"""Values of the Kubernetes API."""
