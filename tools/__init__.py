"""Programs for people: demo, bench, soak, pictures."""
