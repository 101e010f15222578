"""Commands on deployed stacks with the caller's credentials; what they know of template and samconfig."""
