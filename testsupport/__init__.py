"""What the tests and tools run against: fakes, a real control plane, harnesses."""
