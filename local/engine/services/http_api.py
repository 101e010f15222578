"""HTTP APIs (API Gateway v2): an OpenAPI body makes the API, as every `AWS::Serverless::HttpApi` is made."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway as http
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.engine.patching import pin, replaces

__all__: list[str] = []

pin(http, "_create_authorizer", "acfa0e4818fe")
pin(http, "_create_integration", "970005e3a99e")
pin(http, "_create_route", "9fffc0fee702")

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}
_CORS = ("allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials")


@replaces(provisioners, "_apigw_v2_api_create", digest="0002e18b4198")
def _create_api(original: Any, logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
    """CloudFormation: an HTTP API's OpenAPI body is imported (routes, authorizers, CORS, title)."""
    created = original(logical_id, props, stack_name)
    if isinstance(props.get("Body"), dict):
        _import(created[0], props)
    return created


@replaces(provisioners, "_apigw_v2_api_update", digest="d12d60c12ed7")
def _update_api(
    original: Any,
    physical_id: str,
    old_props: dict[str, Any],
    new_props: dict[str, Any],
    stack_name: str,
    logical_id: str | None = None,
) -> Any:
    """CloudFormation: a changed OpenAPI body overwrites an HTTP API, which keeps its id and stages."""
    updated = original(physical_id, old_props, new_props, stack_name, logical_id)
    if isinstance(new_props.get("Body"), dict):
        _import(updated[0], new_props)
    return updated


_handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
_handlers["create"], _handlers["update"] = (
    provisioners._apigw_v2_api_create,
    provisioners._apigw_v2_api_update,
)


# The emulator shapes what a function returned alike for APIs, load balancers and function URLs.
_in_http_api: ContextVar[bool] = ContextVar("in_http_api", default=False)


@replaces(http, "_invoke_lambda_proxy", digest="fbe5024fcd36")
async def _invoke_lambda_proxy(original: Any, *args: Any, **settings: Any) -> Any:
    """HTTP APIs: a function's error is 500 and tells the caller nothing."""
    token = _in_http_api.set(True)
    try:
        return await original(*args, **settings)
    finally:
        _in_http_api.reset(token)


@replaces(lambda_svc, "lambda_execute_result_to_api_proxy_response", digest="36f0ed215e85")
def _proxy_response(original: Any, result: dict[str, Any]) -> Any:
    """HTTP APIs: the response of a function that failed."""
    if _in_http_api.get() and result.get("error") and not result.get("throttle"):
        message = json.dumps({"message": "Internal Server Error"})
        return {"statusCode": 500, "headers": {"Content-Type": "application/json"}, "body": message}, None
    return original(result)


def _import(api_id: str, props: dict[str, Any]) -> None:
    body = props["Body"]
    api = http._apis[api_id]
    info = body.get("info") or {}
    for field, value in (
        ("name", info.get("title")),
        ("version", info.get("version")),
        ("description", info.get("description")),
    ):
        if value and not props.get(field.capitalize()):
            api[field] = str(value)
    cors = {
        name: value for name, value in (body.get("x-amazon-apigateway-cors") or {}).items() if name in _CORS
    }
    if cors:
        api["corsConfiguration"] = cors
    # Routes and authorizers are in the body alone; whatever was there before is no more.
    http._routes[api_id], http._integrations[api_id], http._authorizers[api_id] = {}, {}, {}
    schemes = {
        name: _authorizer(api_id, name, scheme)
        for name, scheme in ((body.get("components") or {}).get("securitySchemes") or {}).items()
    }
    for path, item in (body.get("paths") or {}).items():
        for method, operation in item.items():
            if method in _METHODS:
                security = operation.get("security", body.get("security"))
                _route(api_id, path, method, operation, _authorization(security or [], schemes))


def _route(
    api_id: str, path: str, method: str, operation: dict[str, Any], authorization: dict[str, Any]
) -> None:
    verb = "ANY" if method.startswith("x-amazon") else method.upper()
    route = {
        "routeKey": "$default" if path.lstrip("/") == "$default" else f"{verb} {path}",
        "operationName": operation.get("operationId", ""),
        **authorization,
    }
    if integration := operation.get("x-amazon-apigateway-integration"):
        given = {
            "integrationType": str(integration.get("type") or "AWS_PROXY").upper(),
            "integrationUri": integration.get("uri", ""),
            "integrationMethod": integration.get("httpMethod", "POST"),
            "payloadFormatVersion": str(integration.get("payloadFormatVersion", "1.0")),
            "timeoutInMillis": int(integration.get("timeoutInMillis", 30_000)),
            "requestParameters": integration.get("requestParameters"),
        }
        created = _accepted(http._create_integration(api_id, given))
        route["target"] = f"integrations/{created['integrationId']}"
    _accepted(http._create_route(api_id, route))


def _authorizer(api_id: str, name: str, scheme: dict[str, Any]) -> dict[str, Any]:
    """Make the authorizer of a security scheme; return what a route that uses it has of it."""
    extension = scheme.get("x-amazon-apigateway-authorizer") or {}
    sources = extension.get("identitySource", "$request.header.Authorization")
    given: dict[str, Any] = {
        "name": name,
        "identitySource": sources
        if isinstance(sources, list)
        else [each.strip() for each in sources.split(",")],
    }
    if str(extension.get("type")).lower() == "jwt" or scheme.get("type") in ("oauth2", "openIdConnect"):
        jwt = extension.get("jwtConfiguration") or {}
        audience = jwt.get("audience") or []
        given["authorizerType"] = "JWT"
        given["jwtConfiguration"] = {
            "issuer": jwt.get("issuer"),
            "audience": audience if isinstance(audience, list) else [audience],
        }
        kind = "JWT"
    elif str(extension.get("type")).lower() == "request":
        given |= {
            "authorizerType": "REQUEST",
            "authorizerUri": extension.get("authorizerUri", ""),
            "authorizerPayloadFormatVersion": str(extension.get("authorizerPayloadFormatVersion", "2.0")),
            "authorizerResultTtlInSeconds": int(extension.get("authorizerResultTtlInSeconds", 0)),
            "enableSimpleResponses": str(extension.get("enableSimpleResponses", False)).lower() == "true",
        }
        kind = "CUSTOM"
    else:  # SAM writes AWS_IAM as a signature scheme without an authorizer
        return {"authorizationType": "AWS_IAM"}
    created = _accepted(http._create_authorizer(api_id, given))
    return {"authorizationType": kind, "authorizerId": created["authorizerId"]}


def _authorization(security: list[dict[str, Any]], schemes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    for requirement in security:
        for name, scopes in requirement.items():
            if name in schemes:
                return {**schemes[name], "authorizationScopes": list(scopes or [])}
    return {}


def _accepted(answer: Any) -> dict[str, Any]:
    """Return the decoded body of a control-plane answer; a refusal fails the stack that asked for it."""
    status, _headers, body = answer
    if status >= 400:
        raise ValueError(f"API Gateway refused a part of the OpenAPI document: {body!r}")
    decoded: dict[str, Any] = json.loads(body)
    return decoded
