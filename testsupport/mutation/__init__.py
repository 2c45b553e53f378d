"""Mutation testing of the domain: small faults put into each function, each of which a unit test has to notice."""
