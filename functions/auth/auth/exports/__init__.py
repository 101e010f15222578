"""Exports: everything that is known of a person, but for what proves who they are (hashes, secrets).

jobs    the answer, or a job where there is too much for one
data    what an export has
"""
