"""REST APIs (API Gateway v1): the whole OpenAPI body counts, and an API keeps its id."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any

from ministack.services import apigateway_v1 as rest
from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from local.engine.asgi import App, Receive, Scope, Send
from local.engine.delivery import scope as in_account
from local.engine.patching import PATCHES, Patch, pin, replaces

__all__ = ["wrap"]

pin(rest, "_create_model", "d53064b06f8b")
pin(rest, "_create_request_validator", "c3894407d1b8")
pin(rest, "_create_rest_api", "0e98c85ff132")
pin(rest, "_delete_rest_api", "090487fcbfe3")
pin(rest, "_gw_error", "e4ae22a4fb6c")
pin(rest, "_gateway_error_response", "c0a3f091df36")
pin(rest, "_import_path_item", "563432744443")
pin(rest, "_import_security_schemes", "52260df45b3d")
pin(rest, "_method_security", "48123f68a97c")
pin(rest, "_put_integration", "fd1a612acd01")
pin(rest, "_put_integration_response", "128fe607f6c4")
pin(rest, "_put_method", "68269dbdc33e")
pin(rest, "_put_method_response", "52b6151d8b0b")
pin(rest, "_resolve_custom_rest_api_id", "efb637220aaf")
pin(provisioners, "_apigw_rest_api_create", "7c984880e447")

_USER_REQUEST = re.compile(r"/restapis/([^/]+)/[^/]+/_user_request_(?:/|$)")
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION_FIELDS = (
    "cacheKeyParameters",
    "connectionType",
    "contentHandling",
    "credentials",
    "httpMethod",
    "passthroughBehavior",
    "requestParameters",
    "requestTemplates",
    "timeoutInMillis",
    "uri",
)
_PARAMETER_PLACES = {"query": "querystring", "header": "header", "path": "path"}
# What an update of the definition leaves alone: the stages and what was deployed to them.
_KEPT = ("_stages_v1", "_deployments_v1", "_deployed_gateway_responses", "_documentation_parts")

rest._OPENAPI_HTTP_METHODS.add(_ANY)
PATCHES.append(
    Patch("ministack.services.apigateway_v1._OPENAPI_HTTP_METHODS", "OpenAPI: a method `any` is imported.")
)
PATCHES.append(
    Patch(
        "restapis/* (middleware)",
        "Requests are counted in AWS/ApiGateway: Count, 4XXError, 5XXError, Latency.",
    )
)
PATCHES.append(
    Patch("restapis/* (middleware)", "A `;` in a query that is not encoded separates parameters like an `&`.")
)


@replaces(rest, "_import_rest_api", digest="ef72f9312702")
def _import_rest_api(_original: Any, spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    """OpenAPI: binary media types, gateway responses, models, request validators, resource policy."""
    data = dict(base_data or {})
    binary = spec.get("x-amazon-apigateway-binary-media-types")
    if binary and not data.get("binaryMediaTypes"):
        data["binaryMediaTypes"] = [kind.replace("~1", "/") for kind in binary]
    if (policy := spec.get("x-amazon-apigateway-policy")) and not data.get("policy"):
        data["policy"] = policy
    if source := spec.get("x-amazon-apigateway-api-key-source"):
        data["apiKeySource"] = source
    info = spec.get("info") or {}
    for field, value in (("name", info.get("title")), ("version", info.get("version"))):
        if value and not data.get(field):
            data[field] = str(value)
    api_id: str = _accepted(rest._create_rest_api(data))["id"]
    schemes = rest._import_security_schemes(api_id, spec)
    importing = _Import(api_id, spec)
    importing.models()
    importing.validators()
    for path, item in (spec.get("paths") or {}).items():
        rest._import_path_item(api_id, path, importing.path_item(item), schemes, spec.get("security"))
    for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
        customized = {
            field: response[field]
            for field in ("responseParameters", "responseTemplates")
            if field in response
        }
        if "statusCode" in response:
            customized["statusCode"] = str(response["statusCode"])
        _accepted(rest._put_gateway_response(api_id, kind, customized))
    return api_id


@replaces(rest, "_import_operation", digest="ca6b0dd9dcf2")
def _import_operation(
    _original: Any,
    api_id: str,
    resource_id: str,
    http_method: str,
    operation: dict[str, Any] | None,
    scheme_map: dict[str, Any] | None = None,
    default_security: list[Any] | None = None,
) -> None:
    """OpenAPI: request parameters, templates and integration responses of methods (such as CORS)."""
    operation = operation or {}
    method = "ANY" if http_method.lower() == _ANY else http_method
    security = operation.get("security")
    settings = rest._method_security(default_security if security is None else security, scheme_map or {})
    settings["operationName"] = operation.get("operationId", "")
    settings |= operation.get(_Import.SETTINGS, {})
    rest._put_method(api_id, resource_id, method, settings)
    for status, response in (operation.get("responses") or {}).items():
        headers = (response or {}).get("headers") or {}
        declared = {f"method.response.header.{name}": False for name in headers}
        rest._put_method_response(api_id, resource_id, method, str(status), {"responseParameters": declared})
    integration = operation.get("x-amazon-apigateway-integration")
    if not integration:
        return
    given = {field: integration[field] for field in _INTEGRATION_FIELDS if field in integration}
    kind = str(integration.get("type") or "AWS_PROXY").upper()
    rest._put_integration(api_id, resource_id, method, {**given, "type": kind})
    for pattern, response in (integration.get("responses") or {}).items():
        fields = ("responseParameters", "responseTemplates", "contentHandling")
        mapped = {field: response[field] for field in fields if field in response}
        mapped["selectionPattern"] = "" if pattern == "default" else pattern
        status = str(response.get("statusCode", 200))
        rest._put_integration_response(api_id, resource_id, method, status, mapped)


@replaces(provisioners, "_apigw_rest_api_update", digest="9dee2ef4d951")
def _update_rest_api(
    original: Any,
    physical_id: str,
    old_props: dict[str, Any],
    new_props: dict[str, Any],
    stack_name: str,
    logical_id: str | None = None,
) -> Any:
    """CloudFormation: a changed OpenAPI body overwrites the API, which keeps its id and stages."""
    if new_props.get("Body") == old_props.get("Body") or physical_id not in rest._rest_apis:
        return original(physical_id, old_props, new_props, stack_name, logical_id)
    kept = {store: getattr(rest, store).get(physical_id) for store in _KEPT}
    rest._delete_rest_api(physical_id)
    # The emulator lets a tag choose an API's id: the way to make it again as the same API.
    tags = [tag for tag in new_props.get("Tags", []) if tag["Key"] != "ms-custom-id"]
    try:
        created = provisioners._apigw_rest_api_create(
            logical_id or physical_id,
            {**new_props, "Tags": [*tags, {"Key": "ms-custom-id", "Value": physical_id}]},
            stack_name,
        )
    finally:
        for store, value in kept.items():
            if value is not None:
                getattr(rest, store)[physical_id] = value
    api = rest._rest_apis[physical_id]
    api["tags"] = {tag["Key"]: tag["Value"] for tag in tags}
    rest._v1_tags[rest._rest_api_arn(physical_id)] = dict(api["tags"])
    return created


provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = provisioners._apigw_rest_api_update


@replaces(rest, "_build_lambda_event_v1", digest="c7ac97b91f6e")
def _build_lambda_event(original: Any, *args: Any, **settings: Any) -> Any:
    """Proxy events: `queryStringParameters` has the last of repeated values; `identity` names the API key"""
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html,
    # `$context.identity.apiKey` and `apiKeyId`: for methods that want a key
    event = original(*args, **settings)
    _, _, _, resource, _, method, headers, *_ = args
    methods = resource.get("resourceMethods", {})
    if methods.get(method, methods.get("ANY", {})).get("apiKeyRequired"):
        key = rest._resolve_api_key(rest._api_key_from_request(headers))
        if key is not None:
            event["requestContext"]["identity"] |= {"apiKey": key["value"], "apiKeyId": key["id"]}
    several = event["multiValueQueryStringParameters"]
    if several:
        event["queryStringParameters"] = {name: values[-1] for name, values in several.items()}
    return event


class _BadGatewayError(Exception):
    """A function failed, or returned what is not a response."""


@replaces(rest, "_lambda_proxy_response", digest="3a5b91b76870")
def _lambda_proxy_response(original: Any, result: dict[str, Any]) -> Any:
    """Proxy integrations: what a function returns must be a well-formed response."""
    if result.get("throttle"):
        return original(result)
    if result.get("error") or not _well_formed(result.get("body")):
        raise _BadGatewayError
    return result["body"], None


@replaces(rest, "_invoke_lambda_proxy_v1", digest="5651a96fa7ba")
async def _invoke_lambda_proxy(
    original: Any, integration: Any, api_id: str, *args: Any, **settings: Any
) -> Any:
    """Proxy integrations: a function's error or malformed response is the gateway's 502 (DEFAULT_5XX)."""
    try:
        return await original(integration, api_id, *args, **settings)
    except _BadGatewayError:
        stage_name, stage, resource, _path, _method, headers, _body, query, path_parameters = args
    request = {
        "api_id": api_id,
        "stage_name": stage_name,
        "stage": stage,
        "headers": headers or {},
        "query_params": query or {},
        "path_params": path_parameters or {},
        "resource_path": resource["path"],
        "request_id": rest.new_uuid(),
    }
    error = rest._GatewayError("DEFAULT_5XX", "Internal server error", "InternalServerErrorException")
    status, answer, body = rest._gateway_error_response(error, request)
    customized = rest._deployed_gateway_responses.get(api_id, {}).get(stage.get("deploymentId")) or {}
    return status if "statusCode" in customized.get("DEFAULT_5XX", {}) else 502, answer, body


class _Import:
    """One OpenAPI document on its way into an API."""

    # Where a prepared operation carries what `_put_method` takes beside its security.
    SETTINGS = "x-engine-method-settings"

    def __init__(self, api_id: str, spec: dict[str, Any]) -> None:
        self.api_id = api_id
        self.spec = spec
        self.validator_ids: dict[str, str] = {}

    def models(self) -> None:
        """Make a model of every schema."""
        named = (self.spec.get("components") or {}).get("schemas") or self.spec.get("definitions") or {}
        for name, schema in named.items():
            self._model(name, schema)

    def validators(self) -> None:
        """Make the document's request validators."""
        for name, settings in (self.spec.get("x-amazon-apigateway-request-validators") or {}).items():
            answer = _accepted(rest._create_request_validator(self.api_id, {**settings, "name": name}))
            self.validator_ids[name] = answer["id"]

    def path_item(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return a path's operations, each with its method settings worked out."""
        shared = item.get("parameters") or []
        return {
            method: {**(operation or {}), self.SETTINGS: self._settings(operation or {}, shared)}
            for method, operation in item.items()
            if method.lower() in rest._OPENAPI_HTTP_METHODS
        }

    def _settings(self, operation: dict[str, Any], shared: list[Any]) -> dict[str, Any]:
        parameters: dict[str, bool] = {}
        models: dict[str, str] = {}
        for parameter in map(self._resolved, [*shared, *(operation.get("parameters") or [])]):
            if place := _PARAMETER_PLACES.get(parameter.get("in", "")):
                parameters[f"method.request.{place}.{parameter['name']}"] = bool(parameter.get("required"))
            elif parameter.get("in") == "body" and "schema" in parameter:
                models["application/json"] = self._model_name(parameter["schema"])
        for kind, media in (self._resolved(operation.get("requestBody") or {}).get("content") or {}).items():
            if media.get("schema"):
                models[kind] = self._model_name(media["schema"])
        default = self.spec.get("x-amazon-apigateway-request-validator")
        validator = operation.get("x-amazon-apigateway-request-validator", default)
        return {
            "requestParameters": parameters,
            "requestModels": models,
            "requestValidatorId": self.validator_ids.get(validator or ""),
        }

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return node
        found: Any = self.spec
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part, {})
        return dict(found)

    def _model(self, name: str, schema: Any) -> str:
        text = json.dumps(schema)
        # A model refers to another one by the other's address.
        for container in ("#/components/schemas/", "#/definitions/"):
            text = text.replace(container, f"https://apigateway.amazonaws.com/restapis/{self.api_id}/models/")
        _accepted(rest._create_model(self.api_id, {"name": name, "schema": text}))
        return name

    def _model_name(self, schema: dict[str, Any]) -> str:
        if "$ref" in schema:
            return str(schema["$ref"]).rpartition("/")[2]
        digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()
        return self._model(f"MODEL{digest[:8]}", schema)


def _well_formed(answer: Any) -> bool:
    """Tell whether a proxy integration can make an HTTP response of what a function returned."""
    if not isinstance(answer, dict):
        return False
    status = answer.get("statusCode")
    if isinstance(status, bool) or not str(status).isdigit() or not 100 <= int(str(status)) <= 599:
        return False
    if not isinstance(answer.get("body"), str | None):
        return False
    headers, several = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    return (
        isinstance(headers, dict)
        and not any(isinstance(value, dict | list) for value in headers.values())
        and isinstance(several, dict)
        and all(isinstance(values, list) for values in several.values())
    )


def _accepted(answer: Any) -> Any:
    """Return the decoded body of a control-plane answer; a refusal fails the stack that asked for it."""
    status, _headers, body = answer
    if status >= 400:
        raise ValueError(f"API Gateway refused a part of the OpenAPI document: {body!r}")
    return json.loads(body) if body else {}


@replaces(rest, "_validate_cognito_authorizer", digest="11c3eaecec67")
async def _validate(
    original: Any, authorizer: dict[str, Any], method: dict[str, Any], headers: Any, query: Any, stage: Any
) -> Any:
    """A Cognito authorizer without scopes takes ID tokens alone"""
    # "if the OAuth Scopes option isn't specified, API Gateway treats the supplied token as an identity token
    # and verifies the claimed identity against the one from the user pool":
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html
    claims, error = await original(authorizer, method, headers, query, stage)
    if error is None and not method.get("authorizationScopes") and claims.get("token_use") != "id":
        return None, rest._gw_error("UNAUTHORIZED", "Unauthorized")
    return claims, error


def wrap(app: App) -> App:
    """Split queries of REST APIs at semicolons; count their requests."""

    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html: "The
    # semicolon character (;) is not supported for any request URL query string and results in the data being
    # split."
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        called = _USER_REQUEST.match(scope["path"]) if scope["type"] == "http" else None
        if called is None:
            await app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counting(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                _count(called[1], message["status"], 1000 * (time.perf_counter() - began))
            await send(message)

        await app({**scope, "query_string": scope["query_string"].replace(b";", b"&")}, receive, counting)

    return serve


def _count(api_id: str, status: int, milliseconds: float) -> None:
    """Publish the metrics of one request.

    The errors are rates: "The Average statistic represents the 4XXError error rate":
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    """
    for (account, region, known), api in rest._rest_apis.all_items():
        if known != api_id:
            continue
        with in_account(account, region):
            name = {"ApiName": api["name"]}
            cloudwatch.record_metric("AWS/ApiGateway", "Count", 1, "Count", name)
            cloudwatch.record_metric("AWS/ApiGateway", "4XXError", int(400 <= status < 500), "Count", name)
            cloudwatch.record_metric("AWS/ApiGateway", "5XXError", int(status >= 500), "Count", name)
            cloudwatch.record_metric("AWS/ApiGateway", "Latency", milliseconds, "Milliseconds", name)
