"""The event hub's parser, guards and effects, on the recorded messages: `make bench BENCH=event_hub`.

Peers of the parser are Powertools' data classes, as their documentation gets at a message that SNS put into a
queue (https://docs.aws.amazon.com/powertools/python/latest/utilities/data_classes/#sqs), and `json.loads`
alone. They end where the message is; the hub's parser goes on to what it means. Engine and functions are
processes of their own.
"""

import contextlib
import io
import json
import os
import shutil
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, SQSEvent

from bench.deployed import deployed_suite
from bench.harness import ROOT, Suite, compare, one_core
from bench.hostile_documents import answers, refused_keys
from datagen.hostile_documents import REFUSED, UNSAFE_KEYS
from local.clients.effects import LATER, counted, expected, unexpected
from local.clients.hub import Owner
from local.clients.producer import Clicks
from local.clients.recorded import MESSAGES, Recorded, calls, clear_limits, held, settle
from local.suite import Suite as Deployed

sys.path[:0] = [str(ROOT / "layers/shared"), str(ROOT / "functions/event_hub")]
os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "bench",
    "POWERTOOLS_SERVICE_NAME": "event_hub",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}
# ruff: noqa: E402  # the lines above come first

from event_hub.envelopes import unwrapped
from event_hub.publishers import facts_of
from event_hub.sns_signature import NotVerifiedError, verify
from local.hub_fuzz import fuzz

TIMES, THREADS = 3, 10
REPEATED = 20  # the recorded set, in a round of the parser's
ROUNDS = 25
TRIALS, WARM_UP = 60, 10
FUZZED = 10_000
LONGEST_S, LARGEST_MB = 60, 1_500
"""The encoder's own limits (event_hub.documents.libreoffice)."""
PATIENCE_S = 10.0
SIGNED = ROOT / "events/event_hub/sns_signed"
SIGNED_TOPIC = "arn:aws:sns:eu-west-1:123456789012:suite-hub"
SIGNED_AT = datetime(2026, 11, 20, 9, 16, tzinfo=UTC)


# -------------------------------------------------------------------- the parser


def in_queue(event: dict[str, Any]) -> list[dict[str, Any]]:
    """A recorded event as the queue's records: SNS's notification, a raw message, EventBridge's event."""
    records = event.get("Records", [])
    if records and "body" in records[0]:
        return list(records)
    body = event
    if records:
        sns = {name: value for name, value in records[0]["Sns"].items() if name != "MessageAttributes"}
        body = {name.replace("Url", "URL"): value for name, value in sns.items()}
    return [{"messageId": "m", "body": json.dumps(body), "eventSource": "aws:sqs", "attributes": {}}]


def by_powertools(batch: dict[str, Any]) -> list[Any]:
    """Messages of a batch, by Powertools' data classes."""
    found: list[Any] = []
    for record in SQSEvent(batch).records:
        body = record.json_body
        if "Message" in body:
            message = record.decoded_nested_sns_event.message
            found.append(json.loads(message) if message[:1] == "{" else message)
        elif "detail-type" in body:
            found.append(EventBridgeEvent(body).detail)
        else:
            found.append(body)
    return found


def by_json(batch: dict[str, Any]) -> list[Any]:
    """The least that gets at messages: `json.loads` of the body, and of the message in it."""
    found: list[Any] = []
    for record in batch["Records"]:
        body = json.loads(record["body"])
        message = body.get("Message", body)
        found.append(json.loads(message) if isinstance(message, str) and message[:1] == "{" else message)
    return found


def by_hub(batch: dict[str, Any]) -> list[Any]:
    """What messages mean, by the hub's parser."""
    return [
        fact
        for record in batch["Records"]
        for incoming in unwrapped(record["body"], record["messageId"])
        for fact in facts_of(incoming)
    ]


def _parser(suite: Suite) -> None:
    one_core()
    events = [json.loads(path.read_text()) for path in sorted(MESSAGES.glob("*.json"))]
    records = [record for event in events for record in in_queue(event)]
    batch = {"Records": records * REPEATED}
    messages = len(batch["Records"])
    what = f"{len(records)} recorded messages, in the queue's form"
    suite.add(f"{what}: crashes", sum(_crashes(record) for record in records), "messages", 0)
    powertools = compare(lambda: by_hub(batch), lambda: by_powertools(batch), ROUNDS)
    floor = compare(lambda: by_hub(batch), lambda: by_json(batch), ROUNDS)
    suite.add(
        "parser: messages/s, one core", 1000 * messages / powertools.ours, "messages/s", 20_000, "higher"
    )
    suite.add("Powertools' data classes, to the message", 1000 * messages / powertools.theirs, "messages/s")
    suite.add("`json.loads` twice, to the message", 1000 * messages / floor.theirs, "messages/s")
    suite.add("parser: CPU, as a multiple of Powertools' data classes", powertools.ratio, "x")
    suite.add("parser: CPU, as a multiple of `json.loads` twice", floor.ratio, "x")


def _crashes(record: dict[str, Any]) -> bool:
    try:
        by_hub({"Records": [record]})
    except Exception:  # noqa: BLE001 - they are what is counted
        return True
    return False


# -------------------------------------------------------------------- spoilt and forged messages


def _fuzz(suite: Suite) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # the hub's metrics
        found = fuzz(FUZZED, seed=1)
    what = f"{found.messages:,} spoilt messages"
    suite.add(f"{what}: calls that change something", found.changes.total(), "calls")
    suite.add(f"{what}: of them outside the allow-list", len(found.outside), "calls", 0)
    suite.add(f"{what}: set aside with a reason", found.refused, "messages")


def _signatures(suite: Suite) -> None:
    pem = (SIGNED / "cert.pem").read_bytes()
    accepted = {
        path.stem: _is_verified(json.loads(path.read_text()), lambda _: pem) for path in SIGNED.glob("*.json")
    }
    forged = [not ok for name, ok in accepted.items() if name.startswith("bad_")]
    real = [ok for name, ok in accepted.items() if name.startswith("ok_")]
    suite.add("forged messages of SNS refused", sum(forged), f"of {len(forged)}", 25, "higher")
    suite.add("real messages of SNS accepted", sum(real), f"of {len(real)}", 9, "higher")


def _is_verified(message: dict[str, Any], load: Callable[[str], bytes]) -> bool:
    try:
        verify(message, load=load, topics=(SIGNED_TOPIC,), now=SIGNED_AT)
    except NotVerifiedError:
        return False
    return True


# -------------------------------------------------------------------- documents


def _documents(suite: Suite) -> None:
    """A usual document, and hostile ones: how soon, and with how much memory each is answered."""
    if shutil.which("soffice") is None:
        suite.note("no LibreOffice: documents are not measured")
        return
    usual, *hostile = answers()
    suite.add("usual document of 100 lines: CPU", usual.cpu, "s")
    suite.add("usual document of 100 lines: largest process", usual.megabytes, "MB")
    what = f"{len(hostile)} hostile documents"
    suite.add(f"{what}: requests to the addresses in them", sum(each.fetches for each in hostile), "", 0)
    suite.add(f"{what}: files left or made elsewhere", sum(each.files for each in hostile), "files", 0)
    wrong = [each for each in hostile if each.answer != REFUSED.get(each.name, (None, "PDF"))[1]]
    suite.add(f"{what}: with another answer than the documented one", len(wrong), "documents", 0)
    for each in hostile:
        suite.add(f"hostile: {each.name}, {each.answer}", each.seconds, "s", LONGEST_S)
        suite.add(f"hostile: {each.name}, largest process", each.megabytes, "MB", LARGEST_MB)
    suite.add("unsafe keys of documents refused", refused_keys(), "keys", len(UNSAFE_KEYS), "higher")


# -------------------------------------------------------------------- on the engine


def _three_times(suite: Suite, deployed: Deployed) -> None:
    """Every recorded message three times, at once, by SNS and EventBridge both."""
    owner, clicks = Owner(deployed), Clicks(deployed)
    before, letters = calls(deployed), owner.dead_letters() | owner.refused_documents()
    with held(deployed):
        recorded = Recorded(owner)
        first = [name for name in recorded.messages if name not in LATER]
        _at_once(recorded.deliver, first * TIMES)
    settle(deployed)
    _at_once(recorded.deliver, LATER * TIMES)
    settle(deployed)
    for order in owner.orders(recorded.made["encoding"]) * TIMES:
        owner.encoded(order)
    settle(deployed)
    made, since = recorded.made, dict(calls(deployed) - before)
    found, wanted = counted(since, made), expected(made)
    lost = sum(max(0, times - found[effect]) for effect, times in wanted.items())
    twice = sum(max(0, found[effect] - times) for effect, times in wanted.items())
    others = sum(unexpected(since, made).values())
    dead = (owner.dead_letters() | owner.refused_documents()).keys() - letters.keys()
    what = f"{len(recorded.messages)} messages x {TIMES}, at once"
    suite.add(f"{what}: calls that change something, of {sum(wanted.values())}", sum(found.values()), "calls")
    suite.add(f"{what}: of them missing", lost, "calls", 0)
    suite.add(f"{what}: made again", twice, "calls", 0)
    suite.add(f"{what}: on anything else", others, "calls", 0)
    suite.add(f"{what}: dead letters", len(dead), "messages", 0)
    suite.add(f"{what}: clickstream still diverted", int(clicks.held()), "", 0)
    clear_limits(deployed)


def _at_once(deliver: Callable[[str], None], names: Any) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(deliver, names))


BARE = """
import json
import boto3
rds = boto3.client("rds")
def handler(event, context):
    for record in event["Records"]:
        message = json.loads(json.loads(record["body"])["Message"])
        name = message["Source ID"]
        size = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["AllocatedStorage"]
        rds.modify_db_instance(DBInstanceIdentifier=name, AllocatedStorage=size + 20, ApplyImmediately=False)
"""


def _latency(suite: Suite, deployed: Deployed) -> None:
    """From the publication about a database that is low on storage to the growth that RDS shows."""
    owner = Owner(deployed)
    hub = _milliseconds(owner, deployed["HubTopicArn"])
    bare = _milliseconds(owner, _bare(deployed))
    suite.add("publish to effect on the engine, p50", statistics.median(hub), "ms", 300)
    suite.add("publish to effect on the engine, p95", statistics.quantiles(hub, n=20)[-1], "ms")
    suite.add("a function of boto3 alone behind topic and queue, p50", statistics.median(bare), "ms")
    suite.add(
        "a function of boto3 alone behind topic and queue, p95", statistics.quantiles(bare, n=20)[-1], "ms"
    )


def _milliseconds(owner: Owner, topic: str) -> list[float]:
    times = []
    for number in range(TRIALS + WARM_UP):
        database = owner.database(200)
        start = time.perf_counter()
        owner.storage_is_low(database, topic=topic)
        while owner.storage(database) != (200, 220):
            if time.perf_counter() - start > PATIENCE_S:
                raise TimeoutError("the database does not grow")
        if number >= WARM_UP:
            times.append(1000 * (time.perf_counter() - start))
    return times


def _bare(deployed: Deployed) -> str:
    """A topic, a queue and a function that does the same without any guard; the topic's ARN."""
    sns, sqs, iam, lambda_ = (deployed.client(name) for name in ("sns", "sqs", "iam", "lambda"))
    topic = sns.create_topic(Name="bare")["TopicArn"]
    url = sqs.create_queue(QueueName="bare")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    sender = allow | {"Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(sender | {"Resource": queue})})
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="bare", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="bare", PolicyName="all", PolicyDocument=_policy(allow))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bare.py", BARE)
    lambda_.create_function(
        FunctionName="bare", Runtime="python3.13", Role=role, Handler="bare.handler", Timeout=30,
        MemorySize=512, Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    lambda_.create_event_source_mapping(FunctionName="bare", EventSourceArn=queue, BatchSize=10)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    return str(topic)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("event_hub", steps=7)
    suite.step("on the engine: sam build, sam deploy")
    with deployed_suite({"ENGINE_TIME_SCALE": "0.02"}) as deployed:
        suite.step("on the engine: every message three times")
        _three_times(suite, deployed)
        suite.step("on the engine: publish to effect")
        _latency(suite, deployed)
    suite.step("spoilt messages")
    _fuzz(suite)
    suite.step("signatures")
    _signatures(suite)
    suite.step("documents")
    _documents(suite)
    suite.step("parser")
    _parser(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
