"""Takes what SNS sends by HTTP, and shows the state of the health checks.

Trigger: API Gateway REST, proxy integration, `POST /hub/sns` and `GET /hub/status`, both open to everybody.
Input: `/hub/sns`: a message of SNS, without raw message delivery, which has no signature. `/hub/status`:
    nothing.
Output: `/hub/sns`: 200 `{"result"}`. A verified notification is in the events queue as it came (`queued`),
    like one that SNS itself sends to a queue; a verified confirmation of a listed topic is confirmed at the
    SNS API, so that only the topic's owner can unsubscribe (`confirmed`): its SubscribeURL is never fetched;
    that of an unsubscription is logged (`logged`). `/hub/status`: 200
    `{"checks": [{"name", "state", "since"}]}`, fresh for 15 s.
On failure: JSON with a stable code (see `shared.http`). What is not verified is 403 `not_verified`, with the
    reason in the log alone. SNS repeats what is answered 429 or 5xx; what is answered 4xx goes to the
    subscription's dead-letter queue.
Idempotent: not here. The same message may be queued again; the hub does what it says once. What the
    signature does not cover (`MessageAttributes`) is in the queue as somebody sent it.
Recorded event: events/event_hub/door_notification.json
"""

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared import strict_json
from shared.clients import client, client_elsewhere
from shared.http import (
    CROSS_ORIGIN_HEADERS,
    Answer,
    BadRequestError,
    BusyError,
    Facts,
    ForbiddenError,
    HttpError,
    NotFoundError,
    Request,
    json_answer,
    respond,
)
from shared.metrics import count, publishes_metrics

from .door_settings import DoorSettings
from .ledger import status_records
from .sns_certificates import loader
from .sns_signature import NotVerifiedError, SnsMessage, verify
from .status import checks

__all__ = ["handler"]

MAX_BODY_BYTES = 1_000_000
"""256 KB, the most that SNS takes of a publisher:
https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""
FRESH_S = 15  # the page asks as often
# A confirmation that came too late, or was answered before: it will be as wrong if SNS repeats it.
_REFUSED_TOKEN = {"InvalidParameter", "NotFound"}


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer one request."""

    def serve(facts: Facts) -> Answer:
        try:
            return _serve(Request.of(event, max_bytes=MAX_BODY_BYTES), facts)
        except (ClientError, BotoCoreError, OSError) as error:  # of a service, or the certificate's host
            raise BusyError("busy", "A service does not answer now; try again in a moment.") from error

    return respond("hub", event, serve, headers=CROSS_ORIGIN_HEADERS)


def _serve(request: Request, facts: Facts) -> Answer:
    settings = DoorSettings.from_env()
    if (request.method, request.resource) == ("GET", "/hub/status"):
        shown = checks(status_records(settings.ledger_table, client("dynamodb")))
        return json_answer(200, {"checks": shown}, {"Cache-Control": f"public, max-age={FRESH_S}"})
    if (request.method, request.resource) == ("POST", "/hub/sns"):
        return json_answer(200, {"result": _take(settings, request, facts)})
    raise NotFoundError("not_found", "There is nothing here.")


def _take(settings: DoorSettings, request: Request, facts: Facts) -> str:
    """Take a message, and say what became of it."""
    message = _verified(settings, request)
    facts |= {"message_type": message.type, "message_id": message.message_id, "topic": message.topic_arn}
    count(f"SnsMessages_{message.type}")
    match message.type:
        case "Notification":
            # What is not under the signature may be anybody's, and goes no further.
            body = json.dumps(dict(message.signed), ensure_ascii=False)
            client("sqs").send_message(QueueUrl=settings.events_queue_url, MessageBody=body)
            return "queued"
        case "SubscriptionConfirmation":
            _confirm(message)
            return "confirmed"
        case "UnsubscribeConfirmation":
            return "logged"


def _verified(settings: DoorSettings, request: Request) -> SnsMessage:
    """What of a message is verified."""
    try:
        body = strict_json.parse(request.body.decode())  # SNS says that it is text/plain
    except ValueError as error:
        raise BadRequestError("bad_json", "The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise BadRequestError("bad_json", "The body is not an object.")
    try:
        return verify(
            body,
            topics=settings.topics,
            now=datetime.now(UTC),
            load=loader(settings.sns_endpoint),
            endpoint=settings.sns_endpoint,
        )
    except NotVerifiedError as error:
        count("SnsMessagesRefused")
        raise ForbiddenError("not_verified", "The message is not shown to be of a listed topic.") from error


def _confirm(message: SnsMessage) -> None:
    sns = client_elsewhere("sns", region=message.region)  # health checks publish in us-east-1 alone
    try:
        sns.confirm_subscription(
            TopicArn=message.topic_arn, Token=message.token, AuthenticateOnUnsubscribe="true"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSED_TOKEN:
            refused: HttpError = ForbiddenError("token_refused", "SNS does not take this confirmation.")
            raise refused from error
        raise
