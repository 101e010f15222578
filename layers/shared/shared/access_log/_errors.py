"""What can go wrong with a log; see the package's docstring for the tree."""

__all__ = ["AccessLogError", "BadRecordError", "CorruptLogError", "NoHeaderError"]


class AccessLogError(Exception):
    """Base of the package's errors. All are permanent: the same input fails again."""


class CorruptLogError(AccessLogError):
    """The file is not gzip, or its stream is damaged. Rows before the damage may have been read."""


class NoHeaderError(AccessLogError):
    """There are rows, but neither a `#Fields` line before them nor a given layout."""


class BadRecordError(AccessLogError):
    """A real-time record that is short, or whose time or number of bytes is not a number."""
