"""What the roles may do: sufficiency and necessity; and what somebody sees who gets hold of the table."""

from __future__ import annotations

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.clients.company import Company
from local.clients.table_dump import readable
from local.suite import Suite
from ops.paths import ROOT
from tests.integration.auth.conftest import (
    Person,
    fresh_email,
    fresh_password,
    joined,
    long_trail,
    mailed,
)
from tests.integration.auth.test_imports import PASSWORD, hashed, line, one_of_each_scheme, run
from tests.support.permissions import decisions, forget_decisions, refused, unused
from tests.support.waiting import wait_until

FUNCTIONS = ("AuthApiFunction", "AuthDeliverFunction", "AuthImportFunction", "AuthKeysFunction")
PROFILE = {"given_name": "Zephyrine", "family_name": "Quillfeather", "street_address": "12 Marmalade Lane"}
PHONE = "+351937465820"


def test_allowed_actions_are_those_that_the_flows_use(suite: Suite, shop: Company) -> None:
    """Sufficiency: the flows pass with enforcement on. Necessity: none of the allowed actions goes unused."""
    # Cold environments: what is asked once, and kept, is asked again.
    for name in FUNCTIONS:
        listed = suite.client("lambda").get_paginator("list_functions").paginate()
        [found] = [
            f["FunctionName"] for page in listed for f in page["Functions"] if name in f["FunctionName"]
        ]
        settings = suite.client("lambda").get_function_configuration(FunctionName=found)
        suite.client("lambda").update_function_configuration(
            FunctionName=found, Environment=settings["Environment"], Timeout=settings["Timeout"]
        )
    forget_decisions(suite)
    person = joined(Person(shop, fresh_email(), fresh_password()))
    tokens = person.tokens()
    shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"])
    long_trail(suite, person.id, 1001)
    job = shop.get(f"/v1/users/{person.id}/export").json()["job_id"]
    wait_until(lambda: shop.get(f"/v1/users/export/{job}").json().get("url"), what="export")
    shop.suite.http.get(shop.get(f"/v1/users/export/{job}").json()["url"])
    shop.ask("DELETE", f"/v1/users/{person.id}")
    # Somebody who is logged in loses the address to a verified line, and the session with it.
    unverified = line(email_verified=False, password_hash=hashed("x" * 20))
    run(shop, [unverified])
    Person(shop, unverified["email"], "x" * 20).tokens()
    run(shop, [line(email=unverified["email"])])
    gone = f"uploads/{shop.post('/v1/users/import').json()['job_id']}.jsonl"  # a late notification
    queue = next(url for url in suite.client("sqs").list_queues()["QueueUrls"] if "AuthImportQueue" in url)
    notification = {"Records": [{"s3": {"object": {"key": gone, "versionId": "gone"}}}]}
    suite.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(notification))
    for each in suite.client("sqs").list_queues()["QueueUrls"]:
        if "AuthMailQueue" in each or "AuthImportQueue" in each:
            suite.client("sqs").send_message(QueueUrl=each, MessageBody="understood by nobody")
        if "AuthMailQueue" in each:  # a job whose token is not written yet comes back
            early = {"kind": "verify", "token": "not yet", "expires": 4_102_444_800}
            suite.client("sqs").send_message(QueueUrl=each, MessageBody=json.dumps(early))
    wait_until(lambda: not unused(suite, "AuthDeliverFunction"), what="the early job")
    wait_until(lambda: "s3:ListBucket" not in unused(suite, "AuthImportFunction"), what="the missing upload")
    keys = {"FunctionName": suite["AuthKeysFunctionName"]}
    suite.client("lambda").invoke(**keys, Payload=json.dumps({"rotate": "now"}).encode())
    # An event that nobody can answer fails three times, and goes where failures go.
    unanswerable = json.dumps({"RequestType": "Create"}).encode()
    suite.client("lambda").invoke(**keys, InvocationType="Event", Payload=unanswerable)
    wait_until(lambda: "sqs:SendMessage" not in unused(suite, "AuthKeysFunction"), seconds=60, what="failure")
    for name in FUNCTIONS:
        assert refused(suite, name) == []
        assert unused(suite, name) == set(), f"{name}: allowed, but no flow used it"


def test_no_role_reaches_another_applications_data(suite: Suite) -> None:
    own = {"dynamodb", "kms", "ssm", "sqs", "s3", "sts"}
    for each in decisions(suite):
        if "Auth" in each["role"] and each["allowed"]:
            assert each["action"].partition(":")[0] in own
            assert "uth" in each["resource"] or each["resource"].startswith("arn:aws:kms"), each


@pytest.mark.timeout(300)
def test_a_dumped_table_has_no_personal_data_no_token_and_no_bare_hash(suite: Suite, shop: Company) -> None:
    person = Person(shop, fresh_email("zephyrine.quillfeather"), fresh_password())
    assert shop.post(
        "/v1/signup", email=person.email, password=person.password, profile=PROFILE | {"phone": PHONE}
    ).ok
    token = mailed(suite, person.email, "verify")
    assert shop.post("/v1/verify", token=token, password=person.password).ok
    tokens = person.tokens()
    asked = {"access_token": tokens["access_token"], "current": person.password}
    enrolled = shop.post("/v1/mfa/totp", action="enrol", **asked).json()
    shop.ask("PATCH", f"/v1/users/{tokens['user_id']}", {"email": fresh_email("zephyrine.moves")})
    vectors = one_of_each_scheme()
    hints = [{"hash_scheme": each["hint"]} if "hint" in each else {} for each in vectors]
    salts = [{"salt": each["salt"]} if "salt" in each else {} for each in vectors]
    run(
        shop, [line(password_hash=v["text"], **h, **s) for v, h, s in zip(vectors, hints, salts, strict=True)]
    )

    dump = readable(suite.client("dynamodb"), suite["AuthUsersTableName"])
    secrets = [
        *PROFILE.values(), PHONE, PHONE[4:], person.email, person.email.partition("@")[0], "zephyrine.moves",
        person.password, PASSWORD, token, tokens["access_token"], tokens["refresh_token"], enrolled["secret"],
        *(vector["text"] for vector in vectors), *(vector["text"][-20:] for vector in vectors),
    ]  # fmt: skip
    assert [secret for secret in secrets if secret.lower() in dump.lower()] == []
    assert re.findall(r"\$argon2|\$2[aby]\$|\$6\$|pbkdf2|scrypt", dump) == []
    assert tokens["user_id"] in dump, "the scan looks at what there is"


def test_a_copied_record_cannot_be_read_as_another_persons(suite: Suite, shop: Company) -> None:
    """Whoever can write to the table cannot make one person another: the record is bound to whose it is."""
    rich = joined(Person(shop, fresh_email(), fresh_password()), given_name="Rich")
    thief = joined(Person(shop, fresh_email(), fresh_password()), given_name="Thief")
    dynamodb, table = suite.client("dynamodb"), suite["AuthUsersTableName"]

    def item(user: str) -> dict[str, Any]:
        found: dict[str, Any] = dynamodb.get_item(
            TableName=table, Key={"pk": {"S": f"U#{user}"}, "sk": {"S": "."}}
        )["Item"]
        return found

    dynamodb.put_item(TableName=table, Item=item(thief.id) | {"data": item(rich.id)["data"]})
    answer = shop.get(f"/v1/users/{thief.id}")
    assert (answer.status_code, answer.json()["code"]) == (500, "unreadable")


def test_an_older_record_cannot_be_put_back_under_a_newer_version(suite: Suite, shop: Company) -> None:
    person = joined(Person(shop, fresh_email(), fresh_password()))
    dynamodb, table = suite.client("dynamodb"), suite["AuthUsersTableName"]
    key = {"pk": {"S": f"U#{person.id}"}, "sk": {"S": "."}}
    old = dynamodb.get_item(TableName=table, Key=key)["Item"]
    shop.ask("PATCH", f"/v1/users/{person.id}", {"name": "Somebody New"})
    new = dynamodb.get_item(TableName=table, Key=key)["Item"]
    dynamodb.put_item(TableName=table, Item=new | {"data": old["data"]})
    assert shop.get(f"/v1/users/{person.id}").json()["code"] == "unreadable"


def test_a_new_signing_key_is_published_before_it_signs_and_the_old_one_stays(
    suite: Suite, shop: Company
) -> None:
    person = joined(Person(shop, fresh_email(), fresh_password()))
    before = person.tokens()
    configuration = suite.client("lambda").get_function_configuration(
        FunctionName=suite["AuthKeysFunctionName"]
    )
    prefix = configuration["Environment"]["Variables"]["SECRETS"]
    parameters = suite.client("ssm")

    def keys(purpose: str) -> list[dict[str, Any]]:
        value = parameters.get_parameter(Name=f"{prefix}/{purpose}")["Parameter"]["Value"]
        found: list[dict[str, Any]] = json.loads(value)["keys"]
        return found

    def ids() -> list[str]:
        return [key["id"] for purpose in ("signing", "signing-rsa") for key in keys(purpose)]

    def rotate() -> dict[str, list[str]]:
        answer = suite.client("lambda").invoke(
            FunctionName=suite["AuthKeysFunctionName"], Payload=json.dumps({"rotate": "now"}).encode()
        )
        told: dict[str, list[str]] = json.loads(answer["Payload"].read())
        return told

    if keys("signing")[-1]["from"] <= time.time():
        assert rotate()["made"] == [keys("signing")[-1]["id"], keys("signing-rsa")[-1]["id"]]
    # Nothing more is made while the newest ones do not sign yet.
    assert rotate() == {"made": [], "removed": [], "signing_keys": ids()}
    for purpose in ("signing", "signing-rsa"):
        oldest, newest = keys(purpose)[0], keys(purpose)[-1]
        assert newest["from"] > oldest["from"] + 3000, "it signs an hour later"
        assert not {"d", "p", "q"} & newest["public"].keys()
    published = suite.http.get(f"{shop.url}/.well-known/jwks.json").json()["keys"]
    assert {key["kid"] for key in published} <= set(ids())
    assert shop.post("/v1/introspect", token=before["access_token"]).json()["active"] is True
    kid = json.loads(base64.urlsafe_b64decode(person.tokens()["access_token"].split(".")[0] + "=="))["kid"]
    assert kid == [key["id"] for key in keys("signing") if key["from"] <= time.time()][-1]


def test_of_two_rotations_at_once_one_runs(suite: Suite) -> None:
    """SSM has no conditional write: who reads, adds a key and writes loses a key that was added meanwhile."""
    table = suite["AuthUsersTableName"]
    dynamodb, lease = suite.client("dynamodb"), {"pk": {"S": "N#rotation"}, "sk": {"S": "."}}

    def rotate() -> dict[str, Any]:
        answer = suite.client("lambda").invoke(
            FunctionName=suite["AuthKeysFunctionName"], Payload=json.dumps({"rotate": "now"}).encode()
        )
        told: dict[str, Any] = json.loads(answer["Payload"].read())
        return told

    now = int(time.time())
    dynamodb.put_item(TableName=table, Item=lease | {"expires": {"N": str(now + 60)}})
    assert rotate()["errorType"] == "RotationRunsError"
    dynamodb.put_item(TableName=table, Item=lease | {"expires": {"N": str(now - 1)}})
    assert "signing_keys" in rotate(), "who had it died"
    left = dynamodb.get_item(TableName=table, Key=lease, ConsistentRead=True)
    assert "Item" not in left, "it was given back"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: rotate(), range(4)))
    done = [answer["signing_keys"] for answer in answers if "signing_keys" in answer]
    assert done
    assert all(each == done[0] for each in done)
    assert {answer.get("errorType", "RotationRunsError") for answer in answers} == {"RotationRunsError"}


def test_the_template_keeps_no_secret() -> None:
    text = (ROOT / "template.yaml").read_text()
    assert not re.search(r"-----BEGIN|\"d\":|PRIVATE KEY", text)
