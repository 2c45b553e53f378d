"""The alerts on a real Prometheus: its checks, series played to the rules, and the controller made to trip them."""
