"""The calls that a request waits for, with a fifth of the CPU time that boto3 takes.

`SmallClient` stands before a boto3 client of DynamoDB or KMS, and carries out some operations itself: it
writes the request, signs it (Signature Version 4), sends it, and reads the answer. Everything else is the
boto3 client's: other operations, paginators, `exceptions`, `meta`::

    dynamodb = small_client("dynamodb")  # of shared.clients
    dynamodb.get_item(TableName="people", Key={"pk": {"S": "ada"}})["Item"]

Endpoint, region, time-outs and credentials are the boto3 client's too. Whatever is no success is for botocore
to judge: it reads what an error says, raises its own exceptions, and decides, with the quota that it keeps,
whether and when a call is tried again. The differences:

- Binary values have to be bytes. botocore encodes text in their place, too.
- An answer that is cut short, fails its checksum or is no JSON is tried again, and is an `HTTPClientError` in
  the end. botocore takes some of them for answers without an item.
- The boto3 client's events from `before-parameter-build` to `before-parse` are not emitted; `needs-retry` is,
  and `after-call` once something was tried again.
- The endpoint is the region's, never the account's. `X-Amzn-Trace-Id` is not sent.
"""

from ._client import OPERATIONS, SmallClient, is_direct
from ._signature import sign

__all__ = ["OPERATIONS", "SmallClient", "is_direct", "sign"]
