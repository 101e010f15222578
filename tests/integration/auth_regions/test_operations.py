"""What an operator does about two regions, and what their stacks let each other do."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode

import pytest

from local.clients.regions import Pair, Region
from ops import redrive
from ops.paths import ROOT
from ops.replicate import replicate
from tests.integration.auth_regions.conftest import profile_in, somebody
from tests.support.permissions import allowed, decisions
from tests.support.waiting import wait_until

PARTS = ("AuthReplicateFunction", "AuthDrainWritesFunction", "AuthDrainKeysFunction", "AuthKeysFunction")


def blind_index(region: Region) -> tuple[str, bytes]:
    """The id of the key of the blind indexes, and the key, unwrapped by this region's KMS key."""
    name = f"{region.told['secrets']}/blind-index"
    value = region.suite.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    entry = json.loads(value)["keys"][-1]
    key = region.suite.client("kms").decrypt(
        KeyId=region.told["key"],
        CiphertextBlob=b64decode(entry["wrapped"]),
        EncryptionContext={"secret": "blind-index"},
    )["Plaintext"]
    return entry["id"], key


def test_both_regions_have_one_blind_index_key(pair: Pair) -> None:
    first, second = map(blind_index, pair)
    assert first == second
    assert pair.a.told["key"] != pair.b.told["key"]


def test_a_key_has_the_alias_that_the_other_region_names(pair: Pair) -> None:
    for region in pair:
        found = region.suite.client("kms").list_aliases(KeyId=region.told["key"])["Aliases"]
        assert [each["AliasName"] for each in found] == ["alias/suite-local-auth"]


def test_streams_are_read_for_what_this_region_wrote(pair: Pair) -> None:
    """Filters that let more through would cost an invocation for each session; less would lose accounts."""
    for region in pair:
        lambda_ = region.suite.client("lambda")
        name = region.suite["AuthReplicateFunctionName"]
        [mapping] = lambda_.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        patterns = [json.loads(each["Pattern"])["dynamodb"] for each in mapping["FilterCriteria"]["Filters"]]
        assert patterns == [
            {
                "Keys": {"pk": {"S": [{"prefix": "U#"}]}, "sk": {"S": ["."]}},
                "NewImage": {"origin": {"S": [region.name]}},
            },
            {"NewImage": {"unsettled": {"BOOL": [True]}}},
        ]
        assert mapping["MaximumBatchingWindowInSeconds"] == 0


def drain(region: Region) -> None:
    """Do what the schedule does each minute; which may hold the message at this moment, and be done later."""
    event = (ROOT / "events/auth/drain_writes_schedule.json").read_bytes()
    name = region.suite["AuthDrainWritesFunctionName"]
    answer = region.suite.client("lambda").invoke(FunctionName=name, Payload=event)
    told = answer["Payload"].read()
    assert "FunctionError" not in answer, told
    assert "waits" not in json.loads(told)


def lost(pair: Pair) -> str:
    """Somebody of the first region whom the second one does not know, with no record of the stream left."""
    person = somebody(pair, pair.a)
    pair.settle(60)
    user = pair.b.user(person.id)
    assert user is not None
    table = pair.b.suite.client("dynamodb")
    for key in (f"U#{person.id}", *user.claims):
        table.delete_item(TableName=pair.b.told["table"], Key={"pk": {"S": key}, "sk": {"S": "."}})
    assert pair.b.user(person.id) is None
    return person.id


def test_replicate_sends_what_the_other_region_lacks(pair: Pair) -> None:
    person, seen = lost(pair), list[int]()
    suite = pair.a.suite
    count = replicate(suite.client, pair.a.told["table"], suite["AuthWritesQueueUrl"], advance=seen.append)
    accounts = sum(item["sk"]["S"] == "." for item in pair.a.items("U#"))
    assert count == accounts
    assert sum(seen) == len(pair.a.items("")), "every item was looked at"
    drain(pair.a)
    pair.settle(60)
    assert pair.b.user(person) is not None
    assert profile_in(pair.b, person)


def test_redrive_sends_accounts_back_and_leaves_the_rest(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    person, suite = lost(pair), pair.a.suite
    sqs, dead = suite.client("sqs"), suite["AuthReplicationDeadLetterQueueUrl"]
    scheduled = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event"})
    for body in (json.dumps({"key": f"U#{person}"}), scheduled):
        sqs.send_message(QueueUrl=dead, MessageBody=body)
    only = {name: suite[name] for name in ("AuthReplicationDeadLetterQueueUrl", "AuthWritesQueueUrl")}
    monkeypatch.setattr(redrive, "clients", lambda _: suite.client)
    monkeypatch.setattr(redrive, "outputs_of", lambda *_: only)
    monkeypatch.setattr("sys.argv", ["ops.redrive", "--stack", "suite-local"])
    try:
        assert redrive.main() == 1
        told = capsys.readouterr().out
        assert "1 messages were sent from suite-local-AuthReplicationDeadLetterQueue" in told
        assert "1 messages name no account, and stay" in told
        drain(pair.a)
        wait_until(lambda: pair.b.user(person), seconds=60, what="the account in the other region")
        assert pair.a.waiting("AuthReplicationDeadLetterQueueUrl") == 1
    finally:
        sqs.purge_queue(QueueUrl=dead)


def test_what_names_no_account_is_refused_with_a_reason(pair: Pair) -> None:
    suite = pair.a.suite
    sqs, dead = suite.client("sqs"), suite["AuthReplicationDeadLetterQueueUrl"]
    body = json.dumps({"key": f"C#{secrets.token_hex(4)}"})
    sqs.send_message(QueueUrl=suite["AuthWritesQueueUrl"], MessageBody=body)

    drain(pair.a)
    wait_until(
        lambda: pair.a.waiting("AuthReplicationDeadLetterQueueUrl"), seconds=60, what="the dead letter"
    )
    answer = sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"], VisibilityTimeout=0)
    [message] = answer["Messages"]
    assert message["Body"] == body
    assert "no key of an account" in message["MessageAttributes"]["reason"]["StringValue"]
    sqs.purge_queue(QueueUrl=dead)


def test_roles_were_refused_nothing_and_reach_the_other_region_alone(pair: Pair) -> None:
    """After whatever else ran here: the roles suffice, and what they did elsewhere is what they have to."""
    for region in pair:
        other = pair.other(region)
        for part in PARTS:
            role, _ = allowed(region.suite, part)
            mine = [each for each in decisions(region.suite) if str(each["role"]).endswith(role)]
            assert [each for each in mine if not each["allowed"]] == []
            elsewhere = {
                (each["action"], str(each["resource"]).split(":")[3])
                for each in mine
                if f":{region.name}:" not in str(each["resource"])
            }
            assert {name for _, name in elsewhere} <= {other.name}
            assert {action for action, _ in elsewhere} <= {
                "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
                "kms:Encrypt", "kms:Decrypt", "ssm:GetParameter",
            }, part  # fmt: skip
