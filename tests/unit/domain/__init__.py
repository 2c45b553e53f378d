"""The core tier: the pure modules, by table and by property."""
