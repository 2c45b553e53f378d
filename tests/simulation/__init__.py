"""The real container on simulated adapters and virtual time: years of faults, deterministic by seed."""
