"""Commands and modules for stacks on AWS."""
