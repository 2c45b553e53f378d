"""IAM principals."""
