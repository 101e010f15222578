"""What can go wrong with a log; see the package's docstring for the tree."""

__all__ = [
    "AccessLogError",
    "AllRejectedError",
    "BadRecordError",
    "CorruptLogError",
    "NoHeaderError",
    "UnknownFieldsError",
]


class AccessLogError(Exception):
    """Base of the package's errors. All are permanent: the same input fails again. None quotes a value."""


class CorruptLogError(AccessLogError):
    """The file is neither gzip nor Parquet, or damaged. Rows before the damage may have been read."""


class NoHeaderError(AccessLogError):
    """There are rows, but neither a header before them nor a given layout, and they are no JSON."""


class UnknownFieldsError(AccessLogError):
    """A header does not say when requests were made: it has neither `date` nor `timestamp(ms)`."""


class AllRejectedError(AccessLogError):
    """There are rows, and none of them could be taken."""


class BadRecordError(AccessLogError):
    """A real-time record that is short, or whose time or number of bytes is not a number."""
