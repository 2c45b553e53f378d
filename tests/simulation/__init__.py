"""The controller's real parts on fake doors and virtual time: years of faults, deterministic by seed."""
