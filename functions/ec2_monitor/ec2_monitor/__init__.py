"""A record of who changes what in EC2: CloudTrail's events as flat documents."""
