"""ECR tokens: cached, verified, revalidated."""
