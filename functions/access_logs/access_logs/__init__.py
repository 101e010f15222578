"""CloudFront access logs: partitioned and asked at rest, counted in motion."""
