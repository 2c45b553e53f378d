"""Settings, policy and the RBAC rules that they require."""
