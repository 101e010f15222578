"""SQS: deleting a message that is gone already succeeds, one that never was does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.engine.roles import refusal
from tests.support.cloud import Cloud


def _received(cloud: Cloud, url: str) -> str:
    [message] = cloud.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    handle: str = message["ReceiptHandle"]
    return handle


def test_a_message_is_deleted_twice(cloud: Cloud) -> None:
    url, _ = cloud.queue()
    sqs = cloud.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="text")
    handle = _received(cloud, url)
    for _ in range(2):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "1", "ReceiptHandle": handle}])
    assert [each["Id"] for each in answer["Successful"]] == ["1"]
    assert not answer.get("Failed")


def test_an_old_receipt_handle_deletes_nothing(cloud: Cloud) -> None:
    url, _ = cloud.queue()
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="text")
    old = _received(cloud, url)
    _received(cloud, url)
    cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=old)
    assert cloud.messages(url) == ["text"]


@pytest.mark.ours_only
def test_a_receipt_handle_that_never_was_is_refused(cloud: Cloud) -> None:
    url, _ = cloud.queue()
    sqs: Any = cloud.client("sqs")
    code = refusal(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle="forged"))
    assert code == "ReceiptHandleIsInvalid"
    entries = [{"Id": "1", "ReceiptHandle": "forged"}]
    [failed] = sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Failed"]
    assert failed["Code"] == "ReceiptHandleIsInvalid"
