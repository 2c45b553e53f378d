"""The pull Secret: what it should be, what it is, and the next action."""
