"""The local engine, its control, and who uses the suite on it; for development and tests alone."""
