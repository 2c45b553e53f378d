"""The consumer tier: pullers that we did not write, at a real registry under ECR's own host names."""
