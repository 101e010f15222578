"""What demo, feeders, tests and benchmarks have their data from: seeded, with the answers that are right."""
