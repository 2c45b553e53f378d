"""Settings and policy of the installation."""
