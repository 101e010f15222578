"""Amazon SQS: deleting a message that is gone already succeeds."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ministack.services import sqs as service

from local.engine.patching import replaces


def _issued(handle: str) -> bool:
    """Tell whether a receipt handle has the form of those that the emulator gives: a UUID."""
    try:
        return str(uuid.UUID(handle)) == handle
    except ValueError:
        return False


@replaces(service, "_act_delete_message", digest="8d700665e3d6")
def _delete(original: Callable[..., dict[str, Any]], request: dict[str, Any], url: str) -> dict[str, Any]:
    """Deleting a message a second time, or by an old receipt handle, succeeds"""
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html: "If you
    # use an old ReceiptHandle, the request will succeed, but the message might not be deleted."
    try:
        return original(request, url)
    except service._Err as error:
        if error.code == "ReceiptHandleIsInvalid" and _issued(request["ReceiptHandle"]):
            return {}
        raise


@replaces(service, "_act_delete_message_batch", digest="877517c32f0f")
def _delete_batch(
    original: Callable[..., dict[str, Any]], request: dict[str, Any], url: str
) -> dict[str, Any]:
    """Deleting messages a second time in a batch succeeds"""
    handles = {entry["Id"]: entry.get("ReceiptHandle", "") for entry in request.get("Entries") or []}
    answer = original(request, url)
    gone = [each for each in answer["Failed"] if _issued(handles[each["Id"]])]
    answer["Successful"] += [{"Id": each["Id"]} for each in gone]
    answer["Failed"] = [each for each in answer["Failed"] if each not in gone]
    return answer


service._HANDLERS["DeleteMessage"] = service._act_delete_message
service._HANDLERS["DeleteMessageBatch"] = service._act_delete_message_batch
