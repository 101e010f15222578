"""API Gateway's API keys and usage plans: values, limits, stages, quotas, and what has been used.

GetUsage of a plan without a quota has no items: it lists used and remaining requests of a quota. Throttled
requests and those beyond the quota do not count as used.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import secrets
import string
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, unquote

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1 as rest
from ministack.services.cloudformation import provisioners

from local.engine.authorization import Check, Request, permissions, tags
from local.engine.new_services import Answer, Refusal
from local.engine.patching import PATCHES, Patch, pin, replaces
from local.engine.services.quotas import Usage

__all__: list[str] = []

type Data = dict[str, Any]

pin(rest, "_check_api_key", "e7df68848ea1")
pin(rest, "_check_throttle", "419467f068d9")
pin(rest, "_delete_usage_plan", "f58f02b4d091")
pin(rest, "_get_usage_plan", "f16321b5a55f")
pin(rest, "_gw_error", "e4ae22a4fb6c")
pin(rest, "_tag_v1_resource", "f24baae48160")
pin(rest, "_untag_v1_resource", "f3b8abbb9966")
pin(rest, "_usage_plans_for_key", "239d6d7eb087")
pin(rest, "_v1_paginate", "083400c00f24")
pin(provisioners, "_apigw_usage_plan_create", "f2a0a094a835")

# "The value is an alphanumeric string between 20 and 128 characters":
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
_SHORTEST_VALUE, _LONGEST_VALUE = 20, 128
_VALUE_LENGTH = 40  # of the values that API Gateway generates
_KEY_PATHS = ("/name", "/description", "/enabled", "/customerId")
_THROTTLE: Mapping[str, Callable[[Any], float]] = {"rateLimit": float, "burstLimit": int}
_QUOTA: Mapping[str, Callable[[Any], float]] = {"limit": int, "offset": int}
# The day of a week or month with the largest offset that is taken; a day's quota has none. From the messages
# of API Gateway, which are in the validation of https://github.com/hashicorp/terraform-provider-aws.
_LARGEST_OFFSET = {"DAY": 0, "WEEK": 6, "MONTH": 27}

_KEY = re.compile(r"/apikeys/([^/]+)/?")
_USAGE_OF_PLAN = re.compile(r"/usageplans/([^/]+)/usage/?")
_USAGE_OF_KEY = re.compile(r"/usageplans/([^/]+)/keys/([^/]+)/usage/?")

# https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden has it for "Invalid API key".
rest._GATEWAY_RESPONSE_ERROR_TYPES["INVALID_API_KEY"] = "ForbiddenException"
PATCHES.append(
    Patch(
        "ministack.services.apigateway_v1._GATEWAY_RESPONSE_ERROR_TYPES",
        "Refusals of an API key have the error type ForbiddenException",
    )
)

_plans_since: dict[str, date] = {}
_usage: dict[tuple[str, str], Usage] = {}


def _bad_request(message: str) -> Refusal:
    return Refusal("BadRequestException", message)


def _not_found(what: str) -> Refusal:
    return Refusal("NotFoundException", f"Invalid {what} identifier specified", 404)


def _conflict(message: str) -> Refusal:
    return Refusal("ConflictException", message, 409)


def _answering(status: int) -> Callable[[Callable[..., Data]], Callable[..., Answer]]:
    """Make a function that returns members, or raises a refusal, one that returns an answer of HTTP."""

    def decorate(operation: Callable[..., Data]) -> Callable[..., Answer]:
        @functools.wraps(operation)
        def answer(*arguments: Any) -> Answer:
            try:
                answered: Answer = rest._v1_response(operation(*arguments), status)
            except Refusal as refusal:
                answered = rest._v1_error(refusal.code, refusal.message, refusal.status)
            return answered

        return answer

    return decorate


def _arn(kind: str, identifier: str) -> str:
    return f"arn:aws:apigateway:{get_region()}::/{kind}/{identifier}"


def _today() -> date:
    return datetime.now(UTC).date()


def _flag(value: Any) -> bool:
    """Return a boolean that may come as text, as the values of patch operations do."""
    if isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false"):
        raise _bad_request(f"Invalid boolean value '{value}'")
    return str(value).lower() == "true"


def _page(found: list[Data], query: Data) -> Data:
    try:
        items, position = rest._v1_paginate(found, query)
    except ValueError as error:
        raise _bad_request(str(error)) from error
    return {"item": items} | ({"position": position} if position else {})


def _refuse_path(operation: Data, supported: Iterable[str]) -> Refusal:
    # The message is in https://github.com/boto/boto3/issues/2629, with its two blanks.
    return _bad_request(
        f"Invalid patch path  '{operation.get('path')}' specified for op '{operation.get('op')}'. "
        f"Must be one of: [{', '.join(supported)}]"
    )


# ------------------------------------------------------------------------------------------------- API keys


def _key(key_id: str) -> Data:
    key = rest._api_keys.get(key_id)
    if key is None:
        raise _not_found("API Key")
    found: Data = key
    return found


def _shown(key: Data, query: Data, flag: str) -> Data:
    """Return a key with its value only if that is asked for."""
    with_value = rest._qp(query, flag, "false") == "true"
    return {name: value for name, value in key.items() if with_value or name != "value"}


@replaces(rest, "_create_api_key", digest="754711bfbaf5")
@_answering(201)
def _create_api_key(_original: Any, data: Data) -> Data:
    """API keys are disabled unless enabled; their values are unique and have 20 to 128 characters"""
    value = data.get("value")
    if value is None:
        value = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_VALUE_LENGTH))
    if len(value) < _SHORTEST_VALUE:
        raise _bad_request(f"API Key value should be at least {_SHORTEST_VALUE} characters")
    if len(value) > _LONGEST_VALUE:
        raise _bad_request(f"API Key value should be at most {_LONGEST_VALUE} characters")
    if any(key["value"] == value for key in rest._api_keys.values()):
        # https://github.com/rrahul963/serverless-add-api-key/issues/27
        raise _conflict("API Key already exists")
    now = rest._now_unix()
    key = {
        "id": rest._new_id(),
        "value": value,
        "name": data.get("name") or "",
        # "Specifies whether the ApiKey can be used by callers", a boolean whose absence is false
        "enabled": _flag(data.get("enabled", False)),
        "createdDate": now,
        "lastUpdatedDate": now,
        "stageKeys": [f"{each['restApiId']}/{each['stageName']}" for each in data.get("stageKeys") or []],
        "tags": dict(data.get("tags") or {}),
    } | {name: data[name] for name in ("description", "customerId") if data.get(name)}
    rest._api_keys[key["id"]] = key
    rest._v1_tags[_arn("apikeys", key["id"])] = key["tags"]
    return key


@_answering(200)
def _get_api_key(key_id: str, query: Data) -> Data:
    return _shown(_key(key_id), query, "includeValue")


@replaces(rest, "_resolve_api_key", digest="fb03513d6e57")
def _resolve_api_key(_original: Any, value: str | None) -> Data | None:
    """A request's API key is one of the API's region; two regions may have the same value"""
    keys: Iterable[Data] = rest._api_keys.values()  # of the account and region that the request is in
    return next((key for key in keys if value and key["value"] == value and key["enabled"]), None)


@replaces(rest, "_get_api_keys", digest="504ccc1f1f49")
@_answering(200)
def _get_api_keys(_original: Any, query: Data) -> Data:
    """The values of API keys are in answers only where `includeValue` or `includeValues` asks for them"""
    name, customer = rest._qp(query, "name", ""), rest._qp(query, "customerId")
    found = [
        _shown(key, query, "includeValues")
        for key in rest._api_keys.values()
        if key["name"].startswith(name) and customer in (None, key.get("customerId"))
    ]
    return _page(found, query)


@replaces(rest, "_update_api_key", digest="10ef37f1cb2b")
@_answering(200)
def _update_api_key(_original: Any, key_id: str, data: Data) -> Data:
    """UpdateApiKey takes AWS's patch operations; a key that is disabled is refused"""
    key, changes = _key(key_id), {}
    for operation in data.get("patchOperations") or []:
        if operation.get("op") != "replace":
            raise _bad_request("Invalid patch operation specified. Must be one of: [replace]")
        if operation.get("path") not in _KEY_PATHS:
            raise _refuse_path(operation, _KEY_PATHS)
        name = operation["path"].removeprefix("/")
        changes[name] = _flag(operation.get("value")) if name == "enabled" else operation.get("value", "")
    key.update(changes, lastUpdatedDate=rest._now_unix())
    return _shown(key, {}, "")


@replaces(rest, "_delete_api_key", digest="6ec02f4b2a5d")
def _delete_api_key(original: Any, key_id: str) -> Any:
    """An API key that is deleted is in no usage plan any more"""
    for plan_id, keys in rest._usage_plan_keys.items():
        keys.pop(key_id, None)
        _usage.pop((plan_id, key_id), None)
    rest._v1_tags.pop(_arn("apikeys", key_id), None)
    return original(key_id)


# ---------------------------------------------------------------------------------------------- usage plans


def _plan(plan_id: str) -> Data:
    plan = rest._usage_plans.get(plan_id)
    if plan is None:
        raise _not_found("Usage Plan")
    found: Data = plan
    return found


def _stages(plan: Data) -> set[tuple[str, str]]:
    return {(each.get("apiId", ""), each.get("stage", "")) for each in plan["apiStages"]}


def _check_stages(plan: Data) -> None:
    for api, stage in _stages(plan):
        if api not in rest._rest_apis:
            raise Refusal(
                "NotFoundException", f"Invalid API identifier specified {get_account_id()}:{api}", 404
            )
        if stage not in (rest._stages_v1.get(api) or {}):
            # https://github.com/aws/aws-cdk/issues/6169
            raise _bad_request(
                f"Invalid API Stage {{api: {api}, stage: {stage}}} specified for usageplan {plan['id']}"
            )


def _numbers(limits: Data, kinds: Mapping[str, Callable[[Any], float]]) -> None:
    """Make numbers of limits, which patch operations and templates have as text."""
    for name in kinds.keys() & limits.keys():
        try:
            limits[name] = kinds[name](limits[name])
        except (TypeError, ValueError):
            raise _bad_request(f"Invalid value '{limits[name]}' for {name}") from None
        if limits[name] < 0:
            raise _bad_request(f"Invalid value '{limits[name]}' for {name}")


def _check_limits(plan: Data) -> None:
    for limits in (plan.get("throttle", {}), *_method_throttles(plan)):
        _numbers(limits, _THROTTLE)
    quota = plan.get("quota")
    if quota is None:
        return
    _numbers(quota, _QUOTA)
    period = quota.get("period")
    if period not in _LARGEST_OFFSET or "limit" not in quota:
        raise _bad_request("Usage Plan quota must have a limit, and a period of DAY, WEEK or MONTH")
    largest = _LARGEST_OFFSET[period]
    if quota.get("offset", 0) > largest:
        range_ = f"between zero and {'six' if largest == 6 else largest} inclusive" if largest else "zero"
        raise _bad_request(f"Usage Plan quota offset must be {range_} in the {period} period")


def _method_throttles(plan: Data) -> Iterable[Data]:
    for stage in plan["apiStages"]:
        yield from (stage.get("throttle") or {}).values()


def _check_keys(plan: Data, keys: Iterable[str]) -> None:
    """Refuse keys that are in another plan of one of a plan's stages.

    "a given API key can only be associated with one usage plan for each stage of your API":
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
    """
    for other_id, other in rest._usage_plans.items():
        shared = sorted(_stages(plan) & _stages(other)) if other_id != plan["id"] else []
        twice = shared and set(keys) & set(rest._usage_plan_keys.get(other_id) or {})
        if twice:
            raise _conflict(
                f"Usage Plan {plan['id']} cannot be added because API Key {min(twice)} cannot reference "
                f"multiple Usage Plans with the same API stage: {':'.join(shared[0])}"
            )


def _store(plan: Data) -> None:
    """Check a new or changed plan, and put it in the place of what was there."""
    _check_stages(plan)
    _check_limits(plan)
    _check_keys(plan, rest._usage_plan_keys.get(plan["id"]) or ())
    rest._usage_plans[plan["id"]] = plan


def _fields(data: Data) -> Data:
    """Return what a request or template says of a plan; what is empty is absent, but for the stages."""
    named = ("name", "description", "throttle", "quota", "productCode")
    found = {name: copy.deepcopy(data[name]) for name in named if data.get(name)}
    return found | {"apiStages": copy.deepcopy(data.get("apiStages") or [])}


@replaces(rest, "_create_usage_plan", digest="56fd143f53b1")
@_answering(201)
def _create_usage_plan(_original: Any, data: Data) -> Data:
    """Usage plans are refused with stages that do not exist, and with limits that are no limits"""
    plan = {"id": rest._new_id()[:6]} | _fields(data) | {"tags": dict(data.get("tags") or {})}
    _store(plan)
    rest._usage_plan_keys[plan["id"]] = {}
    rest._v1_tags[_arn("usageplans", plan["id"])] = plan["tags"]
    _plans_since[plan["id"]] = _today()
    return plan


@replaces(rest, "_get_usage_plans", digest="f41e1221cb04")
@_answering(200)
def _get_usage_plans(_original: Any, query: Data) -> Data:
    """GetUsagePlans with `keyId` lists the plans of that key"""
    key = rest._qp(query, "keyId")
    plans = rest._usage_plans.items()
    found = [plan for plan_id, plan in plans if key is None or key in rest._usage_plan_keys.get(plan_id, {})]
    return _page(found, query)


@replaces(rest, "_update_usage_plan", digest="a56a7e60d555")
@_answering(200)
def _update_usage_plan(_original: Any, plan_id: str, data: Data) -> Data:
    """UpdateUsagePlan takes AWS's patch operations: stages, limits, quotas, limits of methods"""
    plan = _plan(plan_id)
    changed = copy.deepcopy(plan) | {"tags": plan["tags"]}
    for operation in data.get("patchOperations") or []:
        _patches(operation.get("op"))(changed, operation)
    _store(changed)
    return changed


def _patches(op: str | None) -> Callable[[Data, Data], None]:
    if op not in ("add", "replace", "remove"):
        raise _bad_request("Invalid patch operation specified. Must be one of: [add, remove, replace]")
    return _remove if op == "remove" else _set


def _pointer(operation: Data) -> list[str]:
    return [rest._decode_json_pointer_token(part) for part in operation.get("path", "").split("/")[1:]]


# https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
_SET_PATHS = (
    "/name", "/description", "/productCode", "/apiStages", "/throttle/rateLimit", "/throttle/burstLimit",
    "/quota/limit", "/quota/offset", "/quota/period",
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/rateLimit",
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/burstLimit",
)  # fmt: skip
_REMOVE_PATHS = (
    "/apiStages", "/quota", "/throttle", "/productCode",
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>",
    "/apiStages/<apidId:stageName>/throttle",
)  # fmt: skip


def _set(plan: Data, operation: Data) -> None:
    value = operation.get("value")
    match _pointer(operation):
        case ["name" | "description" | "productCode" as name]:
            plan[name] = value
        case ["throttle", "rateLimit" | "burstLimit" as name]:
            plan.setdefault("throttle", {})[name] = value
        case ["quota", "limit" | "offset" | "period" as name]:
            plan.setdefault("quota", {})[name] = value
        case ["apiStages"] if operation["op"] == "add":
            api, stage = _stage_name(value)
            if (api, stage) not in _stages(plan):
                plan["apiStages"].append({"apiId": api, "stage": stage})
        case ["apiStages", named, "throttle", path, method, "rateLimit" | "burstLimit" as name]:
            methods = _stage(plan, named).setdefault("throttle", {})
            methods.setdefault(f"{path}/{method}", {})[name] = value
        case _:
            raise _refuse_path(operation, _SET_PATHS)


def _remove(plan: Data, operation: Data) -> None:
    match _pointer(operation):
        case ["throttle" | "quota" | "productCode" as name]:
            plan.pop(name, None)
        case ["apiStages"]:
            plan["apiStages"].remove(_stage(plan, operation.get("value")))
        case ["apiStages", named, "throttle"]:
            _stage(plan, named).pop("throttle", None)
        case ["apiStages", named, "throttle", path, method]:
            _stage(plan, named).get("throttle", {}).pop(f"{path}/{method}", None)
        case _:
            raise _refuse_path(operation, _REMOVE_PATHS)


def _stage_name(named: Any) -> tuple[str, str]:
    api, colon, stage = str(named or "").partition(":")
    if not (api and colon and stage):
        raise _bad_request("Invalid API Stage specified")
    return api, stage


def _stage(plan: Data, named: Any) -> Data:
    """Return a plan's stage of the name ``<api>:<stage>``."""
    api, stage = _stage_name(named)
    for each in plan["apiStages"]:
        if (each["apiId"], each["stage"]) == (api, stage):
            found: Data = each
            return found
    raise _bad_request("Invalid API Stage specified")


@replaces(rest, "_delete_usage_plan", digest="f58f02b4d091")
def _delete_usage_plan(original: Any, plan_id: str) -> Any:
    """A usage plan with stages is not deleted"""
    plan = rest._usage_plans.get(plan_id)
    if plan and plan["apiStages"]:
        # https://github.com/aws/aws-sdk-js/issues/3841
        return rest._v1_error(
            "BadRequestException",
            f"Cannot delete Usage Plan {plan_id} because there are API Stages associated with it, including "
            f"{':'.join(min(_stages(plan)))}",
            400,
        )
    for used in [each for each in _usage if each[0] == plan_id]:
        del _usage[used]
    _plans_since.pop(plan_id, None)
    rest._v1_tags.pop(_arn("usageplans", plan_id), None)
    return original(plan_id)


@replaces(rest, "_delete_stage", digest="dfdf6dfcda01")
def _delete_stage(original: Any, api_id: str, stage_name: str) -> Any:
    """A stage that is deleted is in no usage plan any more"""
    # https://github.com/hashicorp/terraform-provider-aws/issues/14100: deleting the stage and making it again
    # "will remove downstream resources such as [...] aws_api_gateway_usage_plan associated with that stage"
    answer = original(api_id, stage_name)
    for plan in rest._usage_plans.values():
        plan["apiStages"] = [
            each for each in plan["apiStages"] if (each["apiId"], each["stage"]) != (api_id, stage_name)
        ]
    return answer


@replaces(rest, "_create_usage_plan_key", digest="46e1fadd85da")
@_answering(201)
def _create_usage_plan_key(_original: Any, plan_id: str, data: Data) -> Data:
    """An API key is in one usage plan of a stage, once, and exists"""
    plan = _plan(plan_id)
    if data.get("keyType") != "API_KEY":
        raise _bad_request("Invalid keyType specified. Must be one of: [API_KEY]")
    key, keys = _key(data.get("keyId") or ""), rest._usage_plan_keys[plan_id]
    if key["id"] in keys:
        raise _conflict(f"API Key {key['id']} is already in Usage Plan {plan_id}")
    _check_keys(plan, [key["id"]])
    keys[key["id"]] = {"id": key["id"], "type": "API_KEY", "name": key["name"], "value": key["value"]}
    found: Data = keys[key["id"]]
    return found


@replaces(rest, "_delete_usage_plan_key", digest="a41383505148")
def _delete_usage_plan_key(original: Any, plan_id: str, key_id: str) -> Any:
    """Taking a key out of a usage plan that it is not in is refused"""
    if key_id not in (rest._usage_plan_keys.get(plan_id) or {}):
        refusal = _not_found("Usage Plan Key" if plan_id in rest._usage_plans else "Usage Plan")
        return rest._v1_error(refusal.code, refusal.message, refusal.status)
    return original(plan_id, key_id)


# ---------------------------------------------------------------------------------------------------- usage


def _usage_of(plan_id: str, key_id: str) -> Usage:
    return _usage.setdefault((plan_id, key_id), Usage(_plans_since[plan_id]))


@replaces(rest, "_check_quota", digest="c0afc80c1884")
def _check_quota(_original: Any, key: Data | None, api_id: str, stage_name: str) -> Any:
    """Quotas go by calendar days, weeks and months in UTC; what is used is what GetUsage lists"""
    if key is None:
        return None
    today = _today()
    for plan_id, plan, _stage in rest._usage_plans_for_key(key["id"], api_id, stage_name):
        usage = _usage_of(plan_id, key["id"])
        if "quota" in plan and not usage.remaining(plan["quota"], today):
            return rest._gw_error("QUOTA_EXCEEDED", rest._GATEWAY_ERROR_MESSAGES["QUOTA_EXCEEDED"])
        usage.used[today] += 1
    return None


def _date(query: Data, name: str) -> date:
    given = rest._qp(query, name, "")
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise _bad_request(f"Invalid {name} '{given}': it must be of the form YYYY-MM-DD") from None


@_answering(200)
def _get_usage(plan_id: str, query: Data) -> Data:
    plan, keys = _plan(plan_id), rest._usage_plan_keys[plan_id]
    first, last = _date(query, "startDate"), _date(query, "endDate")
    if last < first:
        raise _bad_request("The endDate must not be before the startDate")
    wanted = rest._qp(query, "keyId")
    if wanted is not None and wanted not in keys:
        raise _not_found("API Key")
    listed = sorted(keys) if wanted is None else [wanted]
    page = _page(listed if "quota" in plan else [], query)
    values = {
        key: list(_usage_of(plan_id, key).daily(plan["quota"], first, last)) for key in page.pop("item")
    }
    dates = {"startDate": first.isoformat(), "endDate": last.isoformat()}
    return {"usagePlanId": plan_id, **dates, "values": values, **page}


@_answering(200)
def _update_usage(plan_id: str, key_id: str, data: Data) -> Data:
    plan, today = _plan(plan_id), _today()
    if key_id not in rest._usage_plan_keys[plan_id]:
        raise _not_found("API Key")
    if "quota" not in plan:
        raise _bad_request(f"Usage Plan {plan_id} has no quota")
    usage = _usage_of(plan_id, key_id)
    for operation in data.get("patchOperations") or []:
        if operation.get("op") != "replace":
            raise _bad_request("Invalid patch operation specified. Must be one of: [replace]")
        if operation.get("path") != "/remaining":
            raise _refuse_path(operation, ["/remaining"])
        given = {"limit": operation.get("value")}
        _numbers(given, _QUOTA)
        usage.grant(plan["quota"], today, given["limit"])
    day = today.isoformat()
    values = {key_id: list(usage.daily(plan["quota"], today, today))}
    return {"usagePlanId": plan_id, "startDate": day, "endDate": day, "values": values}


@replaces(rest, "handle_request", digest="5c8aba9f1a88")
async def _handle_request(
    original: Any, method: str, path: str, headers: Data, body: bytes, query: Data
) -> Answer:
    """GetUsage and UpdateUsage: used and remaining requests by day, and what is granted beyond"""
    if method == "GET" and (found := _KEY.fullmatch(path)):
        return _get_api_key(found[1], query)
    if method == "GET" and (found := _USAGE_OF_PLAN.fullmatch(path)):
        return _get_usage(found[1], query)
    if method == "PATCH" and (found := _USAGE_OF_KEY.fullmatch(path)):
        return _update_usage(found[1], found[2], json.loads(body or b"{}"))
    answer: Answer = await original(method, path, headers, body, query)
    return answer


# ------------------------------------------------------------------------------------------- CloudFormation


@replaces(provisioners, "_apigw_api_key_create", digest="19bc63420c01")
def _provision_key(original: Any, logical_id: str, properties: Data, stack_name: str) -> Any:
    """CloudFormation: API keys are disabled unless enabled"""
    return original(logical_id, {"Enabled": False} | properties, stack_name)


@replaces(provisioners, "_apigw_api_key_update", digest="ad2b612180ae")
def _update_provisioned_key(original: Any, physical_id: str, old: Data, new: Data, stack_name: str) -> Any:
    """CloudFormation: an API key that is disabled in the template is refused"""
    return original(physical_id, old, new | {"Enabled": _flag(new.get("Enabled", False))}, stack_name)


@replaces(provisioners, "_apigw_usage_plan_body", digest="821dd5f453b6")
def _plan_body(original: Any, properties: Data) -> Data:
    """CloudFormation: usage plans have limits for methods"""
    body: Data = original(properties)
    for stage in body["apiStages"]:
        methods = {name: provisioners._apigw_throttle(limits) for name, limits in stage["throttle"].items()}
        stage.update({"throttle": methods} if methods else {})
    return body


@replaces(provisioners, "_apigw_usage_plan_update", digest="73a037c24bc6")
def _update_provisioned_plan(original: Any, physical_id: str, old: Data, new: Data, stack_name: str) -> Any:
    """CloudFormation: usage plans are updated in place, with AWS's refusals"""
    plan = rest._usage_plans.get(physical_id)
    if plan is None:
        return original(physical_id, old, new, stack_name)
    kept = {name: plan[name] for name in ("id", "name", "productCode", "tags") if name in plan}
    changed = kept | _fields(provisioners._apigw_usage_plan_body(new))
    if new.get("UsagePlanName"):
        changed["name"] = new["UsagePlanName"]
    try:
        _store(changed)
    except Refusal as refusal:
        raise ValueError(f"AWS::ApiGateway::UsagePlan update failed: {refusal.message}") from refusal
    provisioners._reconcile_tag_map(changed["tags"], old, new)
    return physical_id, {"Id": physical_id}


@replaces(provisioners, "_apigw_usage_plan_delete", digest="58fe87a01d73")
def _delete_provisioned_plan(original: Any, physical_id: str, properties: Data) -> Any:
    """CloudFormation: a usage plan is deleted with its stages"""
    if plan := rest._usage_plans.get(physical_id):
        plan["apiStages"] = []
    return original(physical_id, properties)


provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::ApiKey"] |= {
    "create": provisioners._apigw_api_key_create, "update": provisioners._apigw_api_key_update,
}  # fmt: skip
provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::UsagePlan"] |= {
    "update": provisioners._apigw_usage_plan_update, "delete": provisioners._apigw_usage_plan_delete,
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------ IAM


@tags("apigateway")
def _tags(arn: str) -> Mapping[str, str]:
    """Return the tags of a resource: "child resources inherit the tags that are set on parent resources".

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
    """
    prefix, _, path = arn.partition("::/")
    if path.startswith("tags/"):
        prefix, _, path = unquote(path.removeprefix("tags/")).partition("::/")
    parts = path.split("/")
    found: dict[str, str] = {}
    for length in range(1, len(parts) + 1):
        found |= rest._v1_tags.get(f"{prefix}::/{'/'.join(parts[:length])}") or {}
    return found


@permissions("apigateway:POST", "apigateway:PUT", "apigateway:DELETE")
def _needed(request: Request) -> list[Check]:
    """Return the permissions of a request that may set or remove tags.

    Making a resource with tags needs ``apigateway:PUT`` on ``/tags/<ARN of the new one, encoded>``, beside
    ``apigateway:POST``: https://github.com/mattclay/aws-terminator/pull/284 has AWS's refusal.
    """
    given = request.document().get("tags")
    set_ = given if isinstance(given, dict) else {}  # an OpenAPI document has a list of that name
    removed = request.parameters.get("tagKeys") or []
    keys = [*set_, *([removed] if isinstance(removed, str) else removed)]
    context: Data = {f"aws:requesttag/{name}".lower(): value for name, value in set_.items()}
    if keys:
        context["aws:TagKeys"] = keys
    arn = iam_actions.extract_resource_arn(
        "apigateway", request.method, request.path, {}, request.body, {}, request.region, request.account
    )
    checks = [Check(f"apigateway:{request.method}", arn, context)]
    if set_ and request.method == "POST" and not request.path.startswith(("/v2/", "/tags/")):
        own = quote(f"{arn}/*", safe="*")
        checks.append(Check("apigateway:PUT", f"arn:aws:apigateway:{request.region}::/tags/{own}", context))
    return checks
