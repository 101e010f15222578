"""APIs: who may call what, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ops.template import Resource, Stack

from . import Verdict, rule
from .delivery import FUNCTION

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}
# Routes that API Gateway lets everybody call, and what protects them instead.
UNGUARDED = {
    "ImagesApi": {
        "/resize": "makes what a website shows to everybody; throttled, and signed if ImageSigning"
    },
    "AuthApi": {
        "/.well-known/": "public by OpenID Connect",
        "/oauth2/": "the protocol's own checks: client, code, PKCE, refresh and access tokens",
        "/v1/health": "says that it is there, and nothing else",
    },
}


def operations(api: Resource) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything that an API answers."""
    for path, item in api.properties["Body"]["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


@rule
def routes_have_an_authorizer(stack: Stack) -> Iterator[Verdict]:
    """Every route has an authorizer or needs a key, or is on the list with what protects it."""
    for api in stack.of("AWS::ApiGateway::RestApi"):
        for path, method, operation in operations(api):
            guarded = bool(operation.get("security"))
            mock = operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock"
            listed = any(path.startswith(prefix) for prefix in UNGUARDED.get(api.name, {}))
            problem = (
                f"answers {method.upper()} {path} to everybody: add `security`, or a reason to UNGUARDED"
            )
            yield Verdict(api.name, "" if guarded or listed or (mock and method == "options") else problem)


@rule
def authorizers_are_the_operators_pool(stack: Stack) -> Iterator[Verdict]:
    """An authorizer of Cognito's trusts the pool of this stack, and a keyed route has an API key."""
    for api in stack.of("AWS::ApiGateway::RestApi"):
        schemes = api.properties["Body"].get("components", {}).get("securitySchemes", {})
        for path, method, operation in operations(api):
            for name in [name for each in operation.get("security", []) for name in each]:
                yield Verdict(
                    api.name, _scheme_problem(stack, f"{method.upper()} {path}", schemes.get(name, {}))
                )


def _scheme_problem(stack: Stack, what: str, scheme: dict[str, Any]) -> str:
    authorizer = scheme.get("x-amazon-apigateway-authorizer")
    if authorizer is None:
        keyed = (
            scheme.get("type") == "apiKey"
            and scheme.get("name") == "x-api-key"
            and scheme.get("in") == "header"
        )
        return "" if keyed else f"guards {what} by a scheme that API Gateway does not check"
    pools = [stack.at(arn, "AWS::Cognito::UserPool") for arn in authorizer.get("providerARNs", [])]
    if authorizer.get("type") != "cognito_user_pools" or not pools or not all(pools):
        return f"guards {what} by an authorizer that trusts no pool of this stack"
    return ""


@rule
def apis_answer_in_time_and_within_bounds(stack: Stack) -> Iterator[Verdict]:
    """A function behind an API ends before API Gateway does, after 29 s, and each API is throttled.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
    """
    for api in stack.of("AWS::ApiGateway::RestApi"):
        text = str(api.properties["Body"])
        for function in stack.of(FUNCTION):
            if function.arn in text:
                timeout = int(function.properties.get("Timeout", 3))
                yield Verdict(
                    function.name, f"may take {timeout} s; API Gateway waits 29 s" if timeout > 29 else ""
                )
    for stage in stack.of("AWS::ApiGateway::Stage"):
        settings = [
            each for each in stage.properties.get("MethodSettings", []) if each.get("ThrottlingRateLimit")
        ]
        yield Verdict(
            stage.name, "" if settings else "is not throttled: one visitor could spend without bound"
        )
