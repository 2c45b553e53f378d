"""The real process on the real control plane, with a world between them that goes wrong."""
