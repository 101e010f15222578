"""Side-by-side benchmarks: ours and the peers on the same work, in one run, on one core."""
