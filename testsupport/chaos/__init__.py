"""Everything that goes wrong with a real control plane, and what judges the controller's replicas meanwhile."""
