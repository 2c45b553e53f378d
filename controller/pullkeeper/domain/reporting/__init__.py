"""What is reported: Events, metrics, states."""
