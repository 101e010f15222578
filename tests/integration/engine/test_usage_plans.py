"""API keys and usage plans of REST APIs, as AWS's documentation and its own messages have them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.integration.engine.answers import refusal
from tests.integration.engine.roles import as_role
from tests.integration.engine.roles import refusal as code
from tests.integration.engine.test_rest_api import Reply, asking, update
from tests.support.cloud import Cloud

_ARN = "arn:aws:apigateway:us-east-1::"
VALUE = "apikey1234abcdefghij0123456789"  # the developer guide's example of a value


def _api(cloud: Cloud, stage: str = "live") -> str:
    """Make a REST API whose GET /x wants a key and answers 200; its id."""
    gateway = cloud.client("apigateway")
    api = gateway.create_rest_api(name=cloud.name("api"))["id"]
    [root] = gateway.get_resources(restApiId=api)["items"]
    resource = gateway.create_resource(restApiId=api, parentId=root["id"], pathPart="x")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    gateway.put_method_response(**method, statusCode="200")
    templates = {"application/json": '{"statusCode": 200}'}
    gateway.put_integration(**method, type="MOCK", requestTemplates=templates)
    gateway.put_integration_response(**method, statusCode="200")
    gateway.create_deployment(restApiId=api, stageName=stage)
    return str(api)


def _key(cloud: Cloud, plan: str = "", **settings: Any) -> dict[str, Any]:
    """Make a key that is enabled, and put it into a plan."""
    gateway = cloud.client("apigateway")
    key: dict[str, Any] = gateway.create_api_key(**{"name": cloud.name("key"), "enabled": True} | settings)
    if plan:
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    return key


def _plan(cloud: Cloud, *apis: str, **settings: Any) -> str:
    stages = [{"apiId": api, "stage": "live"} for api in apis]
    plan = cloud.client("apigateway").create_usage_plan(name=cloud.name("plan"), apiStages=stages, **settings)
    return str(plan["id"])


def _calling(cloud: Cloud, api: str, key: dict[str, Any]) -> Callable[[], Reply]:
    return lambda: asking(cloud, api, "live")("/x", x_api_key=key["value"])


def _patch(op: str, path: str, value: str | None = None) -> dict[str, str]:
    return {"op": op, "path": path} | ({} if value is None else {"value": value})


def _update_key(cloud: Cloud, key: str, *operations: dict[str, str]) -> dict[str, Any]:
    return dict(cloud.client("apigateway").update_api_key(apiKey=key, patchOperations=operations))


def _update_plan(cloud: Cloud, plan: str, *operations: dict[str, str]) -> dict[str, Any]:
    gateway = cloud.client("apigateway")
    try:
        return dict(gateway.update_usage_plan(usagePlanId=plan, patchOperations=operations))
    except (AttributeError, ValueError) as error:  # of botocore, which meets text in the place of members
        raise AssertionError("the answer is not of the model's shape") from error


def _usage(cloud: Cloud, plan: str, days: int = 0, **settings: Any) -> dict[str, list[list[int]]]:
    """Used and remaining requests of a plan's keys, of today and of days before."""
    today = _today()
    answer = cloud.client("apigateway").get_usage(
        usagePlanId=plan, startDate=str(today - timedelta(days=days)), endDate=str(today), **settings
    )
    return dict(answer.get("items") or {})


def _today() -> Any:
    """Today in UTC; a test that would see midnight waits for it."""
    now = datetime.now(UTC)
    if (now + timedelta(seconds=20)).date() != now.date():
        time.sleep(21)
    return datetime.now(UTC).date()


# ----------------------------------------------------------------------------------------------------- keys


def test_a_disabled_key_is_refused_until_enabled_again(cloud: Cloud) -> None:
    api = _api(cloud)
    key = _key(cloud, _plan(cloud, api))
    call = _calling(cloud, api, key)
    assert call().status == 200
    assert _update_key(cloud, key["id"], _patch("replace", "/enabled", "false"))["enabled"] is False
    refused = call()
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html,
    # INVALID_API_KEY
    assert (refused.status, refused.json) == (403, {"message": "Forbidden"})
    assert refused.header("x-amzn-ErrorType") == "ForbiddenException"
    assert _update_key(cloud, key["id"], _patch("replace", "/enabled", "true"))["enabled"] is True
    assert call().status == 200


@pytest.mark.ours_only  # the emulator does these, too
def test_a_key_out_of_its_plan_is_refused(cloud: Cloud) -> None:
    api, gateway = _api(cloud), cloud.client("apigateway")
    plan = _plan(cloud, api)
    deleted, removed, kept = (_key(cloud, plan) for _ in range(3))
    gateway.delete_api_key(apiKey=deleted["id"])
    gateway.delete_usage_plan_key(usagePlanId=plan, keyId=removed["id"])
    calls = [_calling(cloud, api, key) for key in (deleted, removed, kept)]
    assert [call().status for call in calls] == [403, 403, 200]
    _update_plan(cloud, plan, _patch("remove", "/apiStages", f"{api}:live"))
    assert calls[2]().status == 403


def test_a_key_is_disabled_unless_enabled(cloud: Cloud) -> None:
    key = cloud.client("apigateway").create_api_key(name=cloud.name("key"))
    assert key["enabled"] is False


def test_a_value_is_refused_twice_and_beyond_its_lengths(cloud: Cloud) -> None:
    # "The value is an alphanumeric string between 20 and 128 characters [...] API key values must be unique":
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
    create = cloud.client("apigateway").create_api_key
    value = cloud.name("value").ljust(128, "0")
    assert _key(cloud, value=value)["value"] == value
    assert refusal(create, value=value) == "ConflictException: API Key already exists"
    assert refusal(create, value="v" * 129).startswith("BadRequestException")
    assert refusal(create, value="v" * 19).startswith("BadRequestException")
    made = {_key(cloud, generateDistinctId=True)["value"] for _ in range(3)}
    assert {len(each) for each in made} == {40}
    assert len(made) == 3


def test_a_value_is_shown_at_creation_and_on_request(cloud: Cloud) -> None:
    gateway, customer = cloud.client("apigateway"), cloud.name("customer")
    key = _key(cloud, customerId=customer, description="of the portal", tags={"app": "portal"})
    found = gateway.get_api_key(apiKey=key["id"])
    assert "value" not in found
    assert (found["customerId"], found["description"]) == (customer, "of the portal")
    assert found["tags"] == {"app": "portal"}
    assert gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"] == key["value"]
    listed = partial(gateway.get_api_keys, customerId=customer)
    assert [each.get("value") for each in listed()["items"]] == [None]
    assert [each["value"] for each in listed(includeValues=True)["items"]] == [key["value"]]
    assert "value" not in _update_key(cloud, key["id"], _patch("replace", "/name", "other"))


def test_a_key_is_changed_by_its_patch_operations(cloud: Cloud) -> None:
    key = _key(cloud)["id"]
    names = ("name", "description", "customerId")
    changed = _update_key(cloud, key, *(_patch("replace", f"/{name}", f"new {name}") for name in names))
    assert [changed[name] for name in names] == ["new name", "new description", "new customerId"]
    for operation in (
        _patch("replace", "/value", VALUE), _patch("add", "/name", "x"), _patch("replace", "/enabled", "no"),
    ):  # fmt: skip
        assert refusal(partial(_update_key, cloud, key, operation)).startswith("BadRequestException")


def test_tags_of_keys_and_plans_are_one_set(cloud: Cloud) -> None:
    gateway = cloud.client("apigateway")
    key, plan = _key(cloud, tags={"a": "1"})["id"], _plan(cloud, tags={"a": "1"})
    for path, get in (
        (f"/apikeys/{key}", partial(gateway.get_api_key, apiKey=key)),
        (f"/usageplans/{plan}", partial(gateway.get_usage_plan, usagePlanId=plan)),
    ):
        arn = f"{_ARN}{path}"
        gateway.tag_resource(resourceArn=arn, tags={"b": "2"})
        gateway.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert gateway.get_tags(resourceArn=arn)["tags"] == get()["tags"] == {"b": "2"}


# ---------------------------------------------------------------------------------------------------- plans


def test_a_key_is_in_one_plan_of_a_stage(cloud: Cloud) -> None:
    # "An API key can be associated with more than one usage plan. [...] However, a given API key can only be
    # associated with one usage plan for each stage of your API.":
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
    api, other = _api(cloud), _api(cloud)
    first, second, third = _plan(cloud, api), _plan(cloud, api), _plan(cloud, other)
    key = _key(cloud, first)["id"]
    put = partial(cloud.client("apigateway").create_usage_plan_key, keyId=key, keyType="API_KEY")
    refused = refusal(put, usagePlanId=second)
    assert refused.startswith("ConflictException")
    assert f"{api}:live" in refused
    assert refusal(put, usagePlanId=first).startswith("ConflictException")
    assert refusal(put, usagePlanId=third) == ""
    add = partial(_update_plan, cloud, third, _patch("add", "/apiStages", f"{api}:live"))
    assert refusal(add).startswith("ConflictException")
    cloud.client("apigateway").delete_usage_plan_key(usagePlanId=first, keyId=key)
    assert refusal(put, usagePlanId=second) == ""


def test_a_key_that_does_not_exist_is_in_no_plan(cloud: Cloud) -> None:
    gateway, plan = cloud.client("apigateway"), _plan(cloud)
    unknown = {"usagePlanId": plan, "keyId": "unknown"}
    assert refusal(gateway.create_usage_plan_key, **unknown, keyType="API_KEY").startswith(
        "NotFoundException"
    )
    assert refusal(gateway.delete_usage_plan_key, **unknown).startswith("NotFoundException")


def test_the_plans_of_a_key_are_listed(cloud: Cloud) -> None:
    plan, _other = _plan(cloud), _plan(cloud)
    key = _key(cloud, plan)["id"]
    assert [each["id"] for each in cloud.client("apigateway").get_usage_plans(keyId=key)["items"]] == [plan]


def test_a_plan_is_changed_by_its_patch_operations(cloud: Cloud) -> None:
    api, other = _api(cloud), _api(cloud)
    plan = _plan(cloud, api)
    changed = _update_plan(
        cloud, plan,
        _patch("add", "/apiStages", f"{other}:live"), _patch("replace", "/name", "gold"),
        _patch("replace", "/description", "for many"), _patch("add", "/productCode", "code"),
        _patch("replace", "/throttle/rateLimit", "5.5"), _patch("replace", "/throttle/burstLimit", "7"),
        _patch("replace", "/quota/limit", "100"), _patch("replace", "/quota/period", "MONTH"),
        _patch("replace", "/quota/offset", "2"),
        _patch("replace", f"/apiStages/{api}:live/throttle/~1x/GET/rateLimit", "1"),
        _patch("replace", f"/apiStages/{api}:live/throttle/~1x/GET/burstLimit", "2"),
    )  # fmt: skip
    assert [changed[name] for name in ("name", "description", "productCode")] == ["gold", "for many", "code"]
    assert changed["throttle"] == {"rateLimit": 5.5, "burstLimit": 7}
    assert changed["quota"] == {"limit": 100, "period": "MONTH", "offset": 2}
    limits = {"/x/GET": {"rateLimit": 1.0, "burstLimit": 2}}
    assert changed["apiStages"] == [
        {"apiId": api, "stage": "live", "throttle": limits}, {"apiId": other, "stage": "live"},
    ]  # fmt: skip
    removed = _update_plan(
        cloud, plan, _patch("remove", "/apiStages", f"{other}:live"), _patch("remove", "/quota"),
        _patch("remove", "/throttle"), _patch("remove", f"/apiStages/{api}:live/throttle"),
    )  # fmt: skip
    assert removed["apiStages"] == [{"apiId": api, "stage": "live"}]
    assert {"quota", "throttle"} & set(removed) == set()
    assert cloud.client("apigateway").get_usage_plan(usagePlanId=plan)["name"] == "gold"


REFUSED = [
    # The message, with its list of paths, is in https://github.com/boto/boto3/issues/2629.
    (
        _patch("remove", "/apiStages/API:live"),
        "BadRequestException: Invalid patch path  '/apiStages/API:live' specified for op 'remove'. "
        "Must be one of: [/apiStages, /quota, /throttle, /productCode, "
        "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, "
        "/apiStages/<apidId:stageName>/throttle]",
    ),
    (_patch("remove", "/apiStages", "unknown:live"), "BadRequestException: Invalid API Stage specified"),
    (_patch("add", "/apiStages", "API"), "BadRequestException: Invalid API Stage specified"),
    # https://github.com/aws/aws-cdk/issues/6169
    (_patch("add", "/apiStages", "API:none"), "BadRequestException: Invalid API Stage {api: API, stage: no"),
    (_patch("add", "/apiStages", "none:live"), "NotFoundException: Invalid API identifier specified "),
    (_patch("replace", "/quota/limit", "many"), "BadRequestException"),
    (_patch("replace", "/quota/limit", "10"), "BadRequestException"),  # of which period
    (_patch("replace", "/throttle/rateLimit", "-1"), "BadRequestException"),
    (_patch("replace", "/apiStages", "API:live"), "BadRequestException: Invalid patch path"),
    (_patch("copy", "/name", "x"), "BadRequestException: Invalid patch operation specified."),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "message"), REFUSED)
def test_a_plan_refuses_other_operations(cloud: Cloud, operation: dict[str, str], message: str) -> None:
    api = _api(cloud)
    plan = _plan(cloud, api)
    before = cloud.client("apigateway").get_usage_plan(usagePlanId=plan)
    given = {name: text.replace("API", api) for name, text in operation.items()}
    refused = refusal(partial(_update_plan, cloud, plan, _patch("replace", "/name", "new"), given))
    assert refused.startswith(message.replace("API:", f"{api}:").replace("API,", f"{api},"))
    assert cloud.client("apigateway").get_usage_plan(usagePlanId=plan)["name"] == before["name"]


@pytest.mark.parametrize(("period", "largest"), [("DAY", 0), ("WEEK", 6), ("MONTH", 27)])
def test_an_offset_has_the_range_of_its_period(cloud: Cloud, period: str, largest: int) -> None:
    quota = {"limit": 100, "period": period}
    assert _plan(cloud, quota={**quota, "offset": largest})
    beyond = {"name": "p", "quota": {**quota, "offset": largest + 1}}
    refused = refusal(cloud.client("apigateway").create_usage_plan, **beyond)
    assert refused.startswith("BadRequestException: Usage Plan quota offset must be ")


def test_a_plan_with_stages_is_not_deleted(cloud: Cloud) -> None:
    # https://github.com/aws/aws-sdk-js/issues/3841 has the message
    api, gateway = _api(cloud), cloud.client("apigateway")
    plan = _plan(cloud, api)
    assert refusal(gateway.delete_usage_plan, usagePlanId=plan) == (
        f"BadRequestException: Cannot delete Usage Plan {plan} because there are API Stages associated with "
        f"it, including {api}:live"
    )
    _update_plan(cloud, plan, _patch("remove", "/apiStages", f"{api}:live"))
    gateway.delete_usage_plan(usagePlanId=plan)
    assert refusal(gateway.get_usage_plan, usagePlanId=plan).startswith("NotFoundException")


def test_a_stage_that_is_deleted_leaves_its_plans(cloud: Cloud) -> None:
    api, gateway = _api(cloud), cloud.client("apigateway")
    plan = _plan(cloud, api)
    gateway.delete_stage(restApiId=api, stageName="live")
    assert gateway.get_usage_plan(usagePlanId=plan)["apiStages"] == []


# ---------------------------------------------------------------------------------------------------- usage


def test_usage_is_what_the_quota_lets_through(cloud: Cloud) -> None:
    api = _api(cloud)
    plan = _plan(cloud, api, quota={"limit": 3, "period": "DAY"})
    key, unused = _key(cloud, plan), _key(cloud, plan)
    _today()
    replies = [_calling(cloud, api, key)() for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    # supported-gateway-response-types.html, QUOTA_EXCEEDED
    assert replies[-1].json == {"message": "Limit Exceeded"}
    # https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsage.html: "daily logs of used and remaining
    # quotas, over the specified time interval indexed over the API keys"
    assert _usage(cloud, plan, days=2) == {
        key["id"]: [[0, 3], [0, 3], [3, 0]], unused["id"]: [[0, 3], [0, 3], [0, 3]],
    }  # fmt: skip
    assert _usage(cloud, plan, keyId=unused["id"]) == {unused["id"]: [[0, 3]]}


def test_usage_comes_in_pages(cloud: Cloud) -> None:
    plan = _plan(cloud, quota={"limit": 3, "period": "WEEK"})
    keys = {_key(cloud, plan)["id"] for _ in range(3)}
    dates = {"startDate": str(_today()), "endDate": str(_today())}
    pages = list(
        cloud.client("apigateway").get_paginator("get_usage").paginate(
            usagePlanId=plan, **dates, PaginationConfig={"PageSize": 2}
        )
    )  # fmt: skip
    assert [len(page.get("items") or {}) for page in pages] == [2, 1]
    assert {key for page in pages for key in page["items"]} == keys


def test_a_quota_is_edited_while_it_is_used(cloud: Cloud) -> None:
    api = _api(cloud)
    plan = _plan(cloud, api, quota={"limit": 3, "period": "MONTH"})
    key = _key(cloud, plan)
    call = _calling(cloud, api, key)
    _today()
    assert [call().status for _ in range(4)] == [200, 200, 200, 429]
    _update_plan(cloud, plan, _patch("replace", "/quota/limit", "5"))
    assert _usage(cloud, plan) == {key["id"]: [[3, 2]]}
    assert [call().status for _ in range(3)] == [200, 200, 429]
    _update_plan(cloud, plan, _patch("replace", "/quota/limit", "2"))
    assert _usage(cloud, plan) == {key["id"]: [[5, 0]]}
    assert call().status == 429


def test_an_extension_is_granted_to_a_key(cloud: Cloud) -> None:
    # https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateUsage.html: "Grants a temporary extension to
    # the remaining quota of a usage plan associated with a specified API key"
    api, gateway = _api(cloud), cloud.client("apigateway")
    plan = _plan(cloud, api, quota={"limit": 1, "period": "DAY"})
    key, other = _key(cloud, plan), _key(cloud, plan)
    call, extend = _calling(cloud, api, key), partial(gateway.update_usage, usagePlanId=plan, keyId=key["id"])
    _today()
    assert [call().status for _ in range(2)] == [200, 429]
    answer = extend(patchOperations=[_patch("replace", "/remaining", "2")])
    assert answer["items"] == {key["id"]: [[1, 2]]}
    assert [call().status for _ in range(3)] == [200, 200, 429]
    assert _usage(cloud, plan) == {key["id"]: [[3, 0]], other["id"]: [[0, 1]]}
    for wrong in (_patch("replace", "/remaining", "-1"), _patch("replace", "/used", "1")):
        assert refusal(extend, patchOperations=[wrong]).startswith("BadRequestException")


def test_throttled_calls_do_not_count_as_used(cloud: Cloud) -> None:
    api = _api(cloud)
    plan = _plan(
        cloud, api, throttle={"rateLimit": 0.001, "burstLimit": 2}, quota={"limit": 100, "period": "DAY"}
    )
    key = _key(cloud, plan)
    _today()
    replies = [_calling(cloud, api, key)() for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 429, 429, 429]
    assert replies[-1].json == {"message": "Too Many Requests"}
    assert _usage(cloud, plan) == {key["id"]: [[2, 98]]}


def test_a_key_of_two_plans_is_counted_by_stage(cloud: Cloud) -> None:
    api, other = _api(cloud), _api(cloud)
    quota = {"limit": 9, "period": "DAY"}
    plan, second = _plan(cloud, api, quota=quota), _plan(cloud, other, quota=quota)
    key = _key(cloud, plan)
    cloud.client("apigateway").create_usage_plan_key(usagePlanId=second, keyId=key["id"], keyType="API_KEY")
    _today()
    for asked in (api, other, other):
        assert _calling(cloud, asked, key)().status == 200
    assert (_usage(cloud, plan), _usage(cloud, second)) == ({key["id"]: [[1, 8]]}, {key["id"]: [[2, 7]]})


def test_usage_is_refused_for_what_is_not_there(cloud: Cloud) -> None:
    get = partial(cloud.client("apigateway").get_usage, startDate="2026-01-01", endDate="2026-01-02")
    plan = _plan(cloud, quota={"limit": 1, "period": "DAY"})
    assert refusal(get, usagePlanId="unknown").startswith("NotFoundException")
    assert refusal(get, usagePlanId=plan, keyId="unknown").startswith("NotFoundException")
    for wrong in ({"startDate": "2026-01-03"}, {"endDate": "tomorrow"}, {"startDate": "01-01-2026"}):
        assert refusal(get, usagePlanId=plan, **wrong).startswith("BadRequestException")


# ------------------------------------------------------------------------------------------- CloudFormation


def _template(api: str, limit: int, *, stage: str = "live", tag: str = "1", **key: Any) -> dict[str, Any]:
    plan = {
        "UsagePlanName": "gold",
        "ApiStages": [
            {"ApiId": api, "Stage": stage, "Throttle": {"/x/GET": {"RateLimit": 50, "BurstLimit": 60}}}
        ],
        "Quota": {"Limit": limit, "Period": "DAY"},
        "Throttle": {"RateLimit": "100", "BurstLimit": "200"},
        "Tags": [{"Key": "app", "Value": tag}],
    }
    in_plan = {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}}
    return {
        "Resources": {
            "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": plan},
            "Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": key},
            "InPlan": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": in_plan},
        },
        "Outputs": {"Plan": {"Value": {"Ref": "Plan"}}, "Key": {"Value": {"Ref": "Key"}}},
    }


def test_a_stack_has_a_plan_that_changes_in_place(cloud: Cloud) -> None:
    api, gateway = _api(cloud), cloud.client("apigateway")
    made = cloud.deploy(_template(api, 2, Enabled=True))
    plan, key = made["Plan"], gateway.get_api_key(apiKey=made["Key"], includeValue=True)
    call = _calling(cloud, api, key)
    _today()
    assert [call().status for _ in range(3)] == [200, 200, 429]
    changed = update(cloud, made["StackName"], _template(api, 3, tag="2", Enabled=True))
    assert (changed["Plan"], changed["Key"]) == (plan, key["id"])
    assert _usage(cloud, plan) == {key["id"]: [[2, 1]]}
    found = gateway.get_usage_plan(usagePlanId=plan)
    assert found["throttle"] == {"rateLimit": 100.0, "burstLimit": 200}
    assert found["apiStages"][0]["throttle"] == {"/x/GET": {"rateLimit": 50.0, "burstLimit": 60}}
    assert found["tags"]["app"] == "2"
    update(cloud, made["StackName"], _template(api, 3))  # `Enabled` is false unless said otherwise
    assert call().status == 403
    formation = cloud.client("cloudformation")
    formation.delete_stack(StackName=made["StackName"])
    formation.get_waiter("stack_delete_complete").wait(
        StackName=made["StackName"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    assert refusal(gateway.get_usage_plan, usagePlanId=plan).startswith("NotFoundException")


def test_a_key_of_a_stack_is_disabled_unless_enabled(cloud: Cloud) -> None:
    made = cloud.deploy(_template(_api(cloud), 2))
    assert cloud.client("apigateway").get_api_key(apiKey=made["Key"])["enabled"] is False


def test_a_stack_with_an_unknown_stage_fails(cloud: Cloud) -> None:
    try:
        made = cloud.deploy(_template(_api(cloud), 2, stage="none"))
    except WaiterError:
        made = {}
    assert made == {}


# ------------------------------------------------------------------------------------------------------ IAM


def _tagged(verb: str, path: str, key: str = "aws:ResourceTag/app") -> dict[str, Any]:
    condition = {"StringEquals": {key: "portal"}}
    return {"Action": f"apigateway:{verb}", "Resource": f"{_ARN}{path}", "Condition": condition}


def test_a_role_reaches_keys_with_its_tag(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    statements = [_tagged("PATCH", "/apikeys/*"), _tagged("DELETE", "/apikeys/*")]
    gateway = as_role(cloud, statements, "apigateway")
    mine, other = _key(cloud, tags={"app": "portal"})["id"], _key(cloud, tags={"app": "other"})["id"]
    disable = partial(gateway.update_api_key, patchOperations=[_patch("replace", "/enabled", "false")])
    assert disable(apiKey=mine)["id"] == mine
    assert code(partial(disable, apiKey=other)) == "AccessDeniedException"
    assert code(partial(gateway.delete_api_key, apiKey=other)) == "AccessDeniedException"
    assert code(partial(gateway.get_api_key, apiKey=mine)) == "AccessDeniedException"
    gateway.delete_api_key(apiKey=mine)


def test_a_role_reads_the_usage_of_plans_with_its_tag(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    statements = [_tagged("GET", "/usageplans/*/usage"), _tagged("PATCH", "/usageplans/*/keys/*/usage")]
    gateway = as_role(cloud, statements, "apigateway")
    quota = {"limit": 5, "period": "DAY"}
    mine = _plan(cloud, quota=quota, tags={"app": "portal"})
    other = _plan(cloud, quota=quota)
    key = _key(cloud, mine)["id"]
    today = str(_today())
    get = partial(gateway.get_usage, startDate=today, endDate=today)
    assert get(usagePlanId=mine)["items"] == {key: [[0, 5]]}
    assert code(partial(get, usagePlanId=other)) == "AccessDeniedException"
    extended = gateway.update_usage(
        usagePlanId=mine, keyId=key, patchOperations=[_patch("replace", "/remaining", "7")]
    )
    assert extended["items"] == {key: [[0, 7]]}
    assert code(partial(gateway.get_usage_plan_keys, usagePlanId=mine)) == "AccessDeniedException"


def test_a_key_with_tags_needs_the_permission_to_tag(cloud_with_iam: Cloud) -> None:
    # https://github.com/mattclay/aws-terminator/pull/284: "is not authorized to perform: apigateway:PUT on
    # resource: arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2F*"
    cloud = cloud_with_iam
    post = _tagged("POST", "/apikeys", "aws:RequestTag/app")
    without = as_role(cloud, [post], "apigateway")
    refused = refusal(without.create_api_key, tags={"app": "portal"})
    encoded = "arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapikeys%2F*"
    assert f"not authorized to perform: apigateway:PUT on resource: {_ARN}/tags/{encoded}" in refused
    put = _tagged("PUT", f"/tags/{encoded}", "aws:RequestTag/app")
    gateway = as_role(cloud, [post, put], "apigateway")
    assert gateway.create_api_key(tags={"app": "portal"})["tags"] == {"app": "portal"}
    assert code(partial(gateway.create_api_key, tags={"app": "other"})) == "AccessDeniedException"
    assert code(gateway.create_api_key) == "AccessDeniedException"


def test_a_role_puts_its_keys_into_its_plans(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    statements = [_tagged("POST", "/usageplans/*/keys"), _tagged("DELETE", "/usageplans/*/keys/*")]
    gateway = as_role(cloud, statements, "apigateway")
    mine, other, key = _plan(cloud, tags={"app": "portal"}), _plan(cloud), _key(cloud)["id"]
    put = partial(gateway.create_usage_plan_key, keyId=key, keyType="API_KEY")
    assert put(usagePlanId=mine)["id"] == key
    assert code(partial(put, usagePlanId=other)) == "AccessDeniedException"
    gateway.delete_usage_plan_key(usagePlanId=mine, keyId=key)
    assert code(partial(gateway.get_usage_plan, usagePlanId=mine)) == "AccessDeniedException"


@pytest.mark.parametrize("action", ["tag", "untag"])
def test_a_role_may_set_only_the_tags_it_is_let(cloud_with_iam: Cloud, action: str) -> None:
    cloud = cloud_with_iam
    arn = f"{_ARN}/apikeys/{_key(cloud, tags={'app': 'portal', 'other': 'x'})['id']}"
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["app"]}}
    actions = ["apigateway:PUT", "apigateway:DELETE"]
    statement = {"Action": actions, "Resource": f"{_ARN}/tags/*", "Condition": condition}
    gateway = as_role(cloud, [statement], "apigateway")
    tag = partial(gateway.tag_resource, resourceArn=arn)
    untag = partial(gateway.untag_resource, resourceArn=arn)
    may, may_not = (
        (partial(tag, tags={"app": "2"}), partial(tag, tags={"other": "2"}))
        if action == "tag"
        else (partial(untag, tagKeys=["app"]), partial(untag, tagKeys=["other"]))
    )
    assert code(may) == ""
    assert code(may_not) == "AccessDeniedException"


def test_a_role_tags_what_has_its_tag(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    gateway = as_role(cloud, [_tagged("PUT", "/tags/*")], "apigateway")
    mine, other = (_key(cloud, tags={"app": app})["id"] for app in ("portal", "other"))
    tag = partial(gateway.tag_resource, tags={"b": "2"})
    assert code(partial(tag, resourceArn=f"{_ARN}/apikeys/{mine}")) == ""
    assert code(partial(tag, resourceArn=f"{_ARN}/apikeys/{other}")) == "AccessDeniedException"


@pytest.mark.ours_only  # the emulator neither makes an API of a document nor minds its list of tags
def test_the_tags_of_a_document_are_not_those_of_an_api(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    gateway = as_role(cloud, [{"Action": "apigateway:GET", "Resource": f"{_ARN}/restapis/*"}], "apigateway")
    document = {"openapi": "3.0.1", "info": {"title": "t"}, "paths": {}, "tags": [{"name": "keys"}]}
    put = partial(gateway.put_rest_api, restApiId=_api(cloud), body=json.dumps(document).encode())
    assert code(put) == "AccessDeniedException"


def test_a_value_may_be_a_key_of_each_region(cloud: Cloud) -> None:
    """A key belongs to a region, as the ARN of API keys has it, `arn:aws:apigateway:region::/apikeys/id`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
    """
    value, calls = cloud.name("value").replace("-", "") + "0" * 20, {}
    for region in ("us-east-1", "eu-west-1"):
        client = partial(cloud.client, region=region)
        there: Any = SimpleNamespace(client=client, name=cloud.name, engine=cloud.engine)
        api = _api(there)
        key = _key(there, _plan(there, api), value=value)
        calls[region] = _calling(there, api, key)
    assert {region: call().status for region, call in calls.items()} == {"us-east-1": 200, "eu-west-1": 200}
