"""Everything that a release publishes, built and checked without publishing: `make release-dry-run`."""
