"""``make demo``: every application driven end to end with real input."""
