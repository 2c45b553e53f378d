"""The real process with hostile tenants beside an honest population."""
