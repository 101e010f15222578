"""What AWS services refuse, as callers of an API are told."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from ._errors import BusyError

__all__ = ["aws_errors_as_busy"]


@contextmanager
def aws_errors_as_busy(message: str) -> Iterator[None]:
    """Tell of what an AWS service refuses, or does not answer, as `busy`; the log has the service's code.

    Args:
        message: For people.

    Raises:
        BusyError: A service refused, or did not answer.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        busy = BusyError("busy", message)
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
        busy.add_note(code or type(error).__name__)
        raise busy from error
