"""How properties are tried in this tier."""

from hypothesis import HealthCheck, settings

# What a busy machine makes slow is no failure.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
