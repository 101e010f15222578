"""What an operator does about two regions, and what their stacks let each other do."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from auth.tokens import PURPOSES
from local.clients.regions import Pair, Region
from ops import redrive
from ops.paths import ROOT
from ops.replicate import replicate
from tests.integration.auth_regions.conftest import lost, profile_in
from tests.support.permissions import allowed, decisions, function
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
    for region in pair:
        assert region.told["blind_index"] == first[0], "which the regions compare"
        assert region.told["peer"] == pair.other(region).name


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


def as_part(region: Region, part: str) -> Callable[[str, str], Any]:
    """Gives clients, by service and region, of a role that may do what the role of a function may."""
    iam = region.suite.client("iam")
    configuration = region.suite.client("lambda").get_function_configuration(
        FunctionName=function(region.suite, part)
    )
    real = str(configuration["Role"]).rpartition("/")[2]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    name = f"as-{secrets.token_hex(8)}"
    arn = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    for policy in iam.list_role_policies(RoleName=real)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=real, PolicyName=policy)["PolicyDocument"]
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    given = region.suite.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    make: Any = boto3.client
    return lambda service, where: make(
        service,
        endpoint_url=region.suite.engine.endpoint,
        region_name=where,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def secret_of(region: Region, purpose: str) -> dict[str, Any]:
    """What a Decrypt of a region's secret is asked with."""
    name = f"{region.told['secrets']}/{purpose}"
    value = region.suite.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    return {
        "KeyId": region.told["key"],
        "CiphertextBlob": b64decode(json.loads(value)["keys"][-1]["wrapped"]),
        "EncryptionContext": {"secret": purpose},
    }


def is_let(call: Callable[..., Any], **asked: Any) -> bool:
    """Whether IAM lets a call be made."""
    try:
        call(**asked)
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("part", "here", "there"),
    [(part, ["blind-index", "refresh"], []) for part in PARTS[:3]] + [(PARTS[3], [], ["blind-index"])],
)
def test_roles_unwrap_the_secrets_that_they_need(
    pair: Pair, part: str, here: list[str], there: list[str]
) -> None:
    """Least of all what signs tokens, of either region."""
    client = as_part(pair.a, part)
    for region, wanted in ((pair.a, here), (pair.b, there)):
        kms = client("kms", region.name)
        may = [purpose for purpose in PURPOSES if is_let(kms.decrypt, **secret_of(region, purpose))]
        assert may == wanted, region.name


@pytest.mark.parametrize("part", PARTS[:3])
def test_roles_reach_accounts_and_identifiers(pair: Pair, part: str) -> None:
    client = as_part(pair.a, part)
    for region, trail, codes in ((pair.a, ["A"], ["F"]), (pair.b, [], [])):
        dynamodb, table = client("dynamodb", region.name), region.told["table"]
        read, written = [], []
        for kind in ("A", "C", "E", "F", "I", "N", "P", "U"):
            key = {"pk": {"S": f"{kind}#{secrets.token_hex(8)}"}, "sk": {"S": "."}}
            if is_let(dynamodb.get_item, TableName=table, Key=key):
                read.append(kind)
            if is_let(dynamodb.put_item, TableName=table, Item=key):
                written.append(kind)
                region.suite.client("dynamodb").delete_item(TableName=table, Key=key)
        reached = ["E", *codes, "P", "U"]
        assert (read, written) == (reached, [*trail, *reached]), region.name


def drain(region: Region) -> None:
    """Do what the schedule does each minute; which may hold the message at this moment, and be done later."""
    event = (ROOT / "events/auth/drain_writes_schedule.json").read_bytes()
    name = region.suite["AuthDrainWritesFunctionName"]
    answer = region.suite.client("lambda").invoke(FunctionName=name, Payload=event)
    told = answer["Payload"].read()
    assert "FunctionError" not in answer, told
    assert "waits" not in json.loads(told)


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
