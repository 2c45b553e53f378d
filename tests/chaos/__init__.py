"""What judges chaos is judged, and Sieve's patterns are tried step by step."""
