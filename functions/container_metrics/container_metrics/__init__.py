"""Counters of ECS clusters, and of what else can be described, in CloudWatch every five seconds."""
