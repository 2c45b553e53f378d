"""Whatever others write or answer, thousands of times: it is taken, or it is a problem that is reported."""
