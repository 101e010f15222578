"""The portal's API on recorded events, with tables and API Gateway in memory."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from api_portal import api
from local.memory_table import MemoryTable
from ops.paths import ROOT
from shared import clients
from tests.unit.api_portal.memory_gateway import MemoryGateway

FREE = {
    "throttle": {"rateLimit": 1.0, "burstLimit": 5},
    "quota": {"limit": 1000, "period": "MONTH", "offset": 0},
}
ENVIRONMENT = {
    "PORTAL_TABLE": "portal", "KEY_TAG": "suite", "FREE_USAGE_PLAN": "plan0", "IMAGES_USAGE_PLAN": "plan1",
    "IMAGES_PRODUCT_CODE": "product1", "IMAGES_DIMENSION": "calls", "IMAGES_LISTING": "https://aws.amazon.com/m",
    "IMAGES_API": "api1", "RIDES_API": "api2",
}  # fmt: skip


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> MemoryGateway:
    """The function's environment: everything free, images sold, no rides."""
    table = MemoryTable({"portal": ("owner", "item")})
    made = MemoryGateway({"plan0": dict(FREE), "plan1": {}})
    monkeypatch.setattr(
        clients, "_client", lambda service, *_, **__: made if service == "apigateway" else table
    )
    monkeypatch.setattr(api, "_seen", {})
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return made


def recorded(case: str, **changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/api_portal/api_{case}.json").read_text())
    return event | changes


def ask(case: str, **changes: Any) -> tuple[int, Any]:
    answer = api.handler(recorded(case, **changes), LambdaContext())
    return answer["statusCode"], json.loads(answer["body"])


def create(body: Any) -> tuple[int, Any]:
    return ask("create_key", body=body if isinstance(body, str) else json.dumps(body))


GOOD = json.loads(recorded("create_key")["body"])


def test_plans_are_told_to_everybody_with_their_limits(gateway: MemoryGateway) -> None:
    answer = api.handler(recorded("plans"), LambdaContext())
    assert answer["headers"]["Cache-Control"] == "public, max-age=60"
    free, images = json.loads(answer["body"])["plans"]
    assert free == {
        "name": "free", "title": "Free", "description": "Every API, to try it out.", "apis": ["images"],
        "throttle": {"rate": 1.0, "burst": 5}, "quota": {"limit": 1000, "period": "MONTH"},
        "sold": False, "meter": "none", "listing": "",
    }  # fmt: skip
    assert (images["name"], images["sold"], images["meter"]) == ("images", True, "records")
    assert (images["quota"], images["throttle"]) == (None, {"rate": None, "burst": None})
    assert images["listing"] == ENVIRONMENT["IMAGES_LISTING"]


def test_limits_are_asked_for_again_after_a_moment(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("plans")
    gateway.plans["plan0"]["quota"] = {"limit": 7, "period": "DAY"}
    assert ask("plans")[1]["plans"][0]["quota"]["limit"] == 1000
    monkeypatch.setattr(api, "LIMITS_SEEN_S", 0.0)
    assert ask("plans")[1]["plans"][0]["quota"] == {"limit": 7, "period": "DAY"}


def test_value_is_told_by_the_creation_alone(
    gateway: MemoryGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    status, key = ask("create_key")
    assert status == 201
    value = key.pop("value")
    assert ask("create_key") == (200, key)
    assert ask("keys") == (200, {"keys": [key]})
    assert key["last4"] == value[-4:]
    assert value not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ("not_subscribed", 403, "not_subscribed"),
        ("rotate_unknown_key", 404, "unknown_key"),
        ("revoke_unknown_key", 404, "unknown_key"),
        ("sdk", 501, "only_on_aws"),
    ],
)
def test_recorded_refusals_are_answered(gateway: MemoryGateway, case: str, status: int, code: str) -> None:
    answered, body = ask(case)
    assert (answered, body["code"]) == (status, code)


def test_key_is_rotated_and_revoked(gateway: MemoryGateway) -> None:
    _, old = ask("create_key")
    place = {"pathParameters": {"id": old["id"]}}
    new_id = "11111111-2222-4333-8444-555555555555"
    status, new = ask("rotate_unknown_key", **place, body=json.dumps({"id": new_id}))
    assert (status, new["id"], new["name"], new["plan"]) == (201, new_id, old["name"], "free")
    assert ask("rotate_unknown_key", **place, body=json.dumps({"id": new_id}))[0] == 200
    [first] = [each for each in ask("keys")[1]["keys"] if each["id"] == old["id"]]
    assert first["ends"] == pytest.approx(new["created"] + 24 * 3600)
    status, revoked = ask("revoke_unknown_key", **place)
    assert (status, revoked["state"]) == (200, "revoked")
    assert ask("revoke_unknown_key", **place)[0] == 200


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "", [], {}, "x" * 300, "a\nb", "Ünicode \x00"])
@pytest.mark.parametrize("field", ["id", "name", "plan", "subscription"])
def test_value_of_a_wrong_type_is_refused(gateway: MemoryGateway, field: str, value: Any) -> None:
    status, body = create({**GOOD, field: value})
    if (field, value) == ("plan", ""):
        assert (status, body["code"]) == (404, "unknown_plan")
    elif (field, value) == ("subscription", ""):
        assert status == 201
    else:
        assert (status, body["code"]) == (400, "bad_request")
        assert gateway.keys == {}


@pytest.mark.parametrize("hours", [None, True, "1", 1.0, 1.5, -1, 169, [], {}])
def test_hours_that_are_none_are_refused(gateway: MemoryGateway, hours: Any) -> None:
    _, old = ask("create_key")
    body = json.dumps({"id": "11111111-2222-4333-8444-555555555555", "hours": hours})
    status, refused = ask("rotate_unknown_key", pathParameters={"id": old["id"]}, body=body)
    assert (status, refused["code"]) == (400, "bad_request")


def test_rotation_into_itself_is_refused(gateway: MemoryGateway) -> None:
    _, old = ask("create_key")
    body = json.dumps({"id": old["id"]})
    assert ask("rotate_unknown_key", pathParameters={"id": old["id"]}, body=body)[0] == 400


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", "1", '"x"', "true", '{"id": NaN}', '{"a": 1, "a": 1}']
)
def test_body_that_is_no_object_is_refused(gateway: MemoryGateway, body: str) -> None:
    assert create(body)[0] == 400


@pytest.mark.parametrize(
    "body", [{}, {"id": GOOD["id"]}, {**GOOD, "value": "mine"}, {**GOOD, "enabled": True}]
)
def test_body_with_other_members_is_refused(gateway: MemoryGateway, body: Any) -> None:
    status, refused = create(body)
    assert (status, refused["code"]) == (400, "bad_request")


def test_long_and_foreign_bodies_are_refused(gateway: MemoryGateway) -> None:
    assert create({**GOOD, "name": "x" * 5000})[0] == 413
    event = recorded("create_key")
    event["headers"]["Content-Type"] = "text/plain"
    assert api.handler(event, LambdaContext())["statusCode"] == 415


@pytest.mark.parametrize("case", ["keys", "create_key", "rotate_unknown_key", "usage", "sdk"])
@pytest.mark.parametrize("claims", [{}, {"token_use": "access", "sub": "1"}, {"token_use": "id"}])
def test_only_id_tokens_are_taken(gateway: MemoryGateway, case: str, claims: dict[str, str]) -> None:
    event = recorded(case)
    event["requestContext"]["authorizer"] = {"claims": claims}
    assert api.handler(event, LambdaContext())["statusCode"] == 401


def test_missing_settings_are_the_deployments_fault(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FREE_USAGE_PLAN")
    status, body = ask("keys")
    assert (status, body["code"]) == (500, "misconfigured")


# ---- usage


def test_usage_is_of_the_visitors_own_keys_by_day(gateway: MemoryGateway) -> None:
    _, key = ask("create_key")
    _, second = create({**GOOD, "id": "11111111-2222-4333-8444-555555555555", "name": "Second"})
    gateway.usage = {"key0": [[0, 1000]] * 26 + [[7, 993], [5, 988]], "other": [[99, 1]] * 28}
    status, body = ask("usage")
    assert status == 200
    assert (body["plan"], body["quota"]) == ("free", {"limit": 1000, "period": "MONTH"})
    assert (body["used"], body["remaining"]) == (12, 1988)
    assert len(body["days"]) == 28
    assert body["days"][0] == {"day": "2026-11-01", "used": 0}
    assert body["days"][26:] == [{"day": "2026-11-27", "used": 7}, {"day": "2026-11-28", "used": 5}]
    used = {each["id"]: each["used"] for each in body["keys"]}
    assert used == {key["id"]: 12, second["id"]: 0}
    # Each call names one key: without one it would be everybody's usage.
    assert sorted(each["keyId"] for each in gateway.asked_usage) == ["key0", "key1"]


def test_usage_is_of_the_plan_that_is_asked_for(gateway: MemoryGateway) -> None:
    ask("create_key")
    query = recorded("usage")["queryStringParameters"] | {"plan": "images"}
    assert ask("usage", queryStringParameters=query)[1]["keys"] == []


def test_revoked_keys_count_for_the_days_before(gateway: MemoryGateway) -> None:
    _, key = ask("create_key")
    ask("revoke_unknown_key", pathParameters={"id": key["id"]})
    gateway.usage = {"key0": [[3, 997]]}
    query = {"plan": "free", "from": "2020-01-01", "to": "2020-01-01"}
    body = ask("usage", queryStringParameters=query)[1]
    assert (body["used"], body["remaining"]) == (3, 0)
    far = {"plan": "free", "from": "2999-01-01", "to": "2999-01-01"}
    assert ask("usage", queryStringParameters=far)[1]["keys"] == []


def test_key_that_was_never_made_has_no_usage(
    gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "CreateApiKey")

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "create_api_key", refuse)
        assert ask("create_key")[0] == 503
    assert ask("revoke_unknown_key", pathParameters={"id": GOOD["id"]})[0] == 200
    status, body = ask("usage")
    assert (status, body["keys"], gateway.asked_usage) == (200, [], [])


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-11-28", "to": "2026-11-01"},
        {"from": "2026-01-01", "to": "2026-11-01"},
        {"from": "20261101"},
        {"from": "2026-11-31"},
        {"to": "today"},
        {"to": ""},
        {"to": "2026-W48-6"},
    ],
)
def test_range_that_is_none_is_refused(gateway: MemoryGateway, query: dict[str, str]) -> None:
    status, body = ask("usage", queryStringParameters={"plan": "free"} | query)
    assert (status, body["code"]) == (400, "bad_request")


@pytest.mark.parametrize("query", [None, {}, {"plan": ""}, {"plan": "fleet"}])
def test_usage_of_an_unknown_plan_is_not_found(gateway: MemoryGateway, query: Any) -> None:
    status, body = ask("usage", queryStringParameters=query)
    assert (status, body["code"]) == (404, "unknown_plan")


# ---- SDKs


class Sdks:
    """GetSdk, as botocore's model has its answer."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def get_sdk(self, **request: Any) -> dict[str, Any]:
        self.asked = request

        class Body:
            @staticmethod
            def read() -> bytes:
                return b"PK\x03\x04archive"

        return {"contentType": "application/octet-stream", "body": Body}


# The parameters that are required: AWS CLI, `aws apigateway get-sdk help` and botocore's model of GetSdk.
REQUIRED = {
    "android": {"groupId", "artifactId", "artifactVersion", "invokerPackage"},
    "java": {"serviceName", "javaPackageName"},
    "javascript": set[str](),
    "objectivec": {"classPrefix"},
    "ruby": {"service.name"},
    "swift": {"classPrefix"},
}


@pytest.mark.parametrize("kind", REQUIRED)
def test_sdk_is_an_archive(gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    sdks = Sdks()
    monkeypatch.setattr(clients, "_client", lambda *_, **__: sdks)
    monkeypatch.setenv("ON_AWS", "true")
    answer = api.handler(
        recorded("sdk", pathParameters={"api": "rides", "type": kind}), LambdaContext()
    )  # fmt: skip
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["Content-Type"] == "application/zip"
    assert answer["body"] == "UEsDBGFyY2hpdmU="  # printf 'PK\003\004archive' | base64
    assert (sdks.asked["restApiId"], sdks.asked["stageName"], sdks.asked["sdkType"]) == ("api2", "live", kind)
    assert set(sdks.asked["parameters"]) == REQUIRED[kind]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"api": "auth", "type": "java"}, "unknown_api"),  # not deployed
        ({"api": "../x", "type": "java"}, "unknown_api"),
        ({"api": "rides", "type": "cobol"}, "unknown_type"),
    ],
)
def test_sdk_that_is_none_is_not_found(gateway: MemoryGateway, parameters: dict[str, str], code: str) -> None:
    status, body = ask("sdk", pathParameters=parameters)
    assert (status, body["code"]) == (404, code)


def test_document_has_every_route_that_is_answered() -> None:
    text = (ROOT / "functions/api_portal/openapi.yaml").read_text()
    paths = re.findall(r"^  (/v1/\S+):$", text, re.MULTILINE)
    assert {resource for _, resource in api._ROUTES} | {"/v1/plans"} <= set(paths)
