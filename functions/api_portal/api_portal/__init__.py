"""API portal: keys and plans for the suite's APIs, usage, and subscriptions on AWS Marketplace."""
