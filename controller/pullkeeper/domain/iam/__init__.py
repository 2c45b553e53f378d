"""IAM identities."""
