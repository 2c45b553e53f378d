"""A model of the Lease, its holders and their clocks in Quint; its runs are replayed against the real LeaderElector."""
