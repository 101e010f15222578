"""APIs: who may call what, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ops.template import Resource, Stack

from . import Verdict, rule
from .data import VISITORS
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
    "PortalApi": {
        "/v1/plans": "what everybody may know before they register; throttled",
        "/v1/marketplace": "leads a browser to the page, and does nothing else; throttled",
    },
    "HubApi": {
        "/hub/sns": "SNS's signature, by a listed topic",
        "/hub/status": "what the public page shows; throttled",
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
            security = operation.get("security", [])
            guarded = bool(security) and all(security)  # an empty alternative is open to everybody
            mock = operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock"
            known = UNGUARDED.get(api.name, {})
            listed = path in known or any(path.startswith(each) for each in known if each.endswith("/"))
            problem = (
                f"answers {method.upper()} {path} to everybody: add `security`, or a reason to UNGUARDED "
                f"of {__name__}"
            )
            yield Verdict(api.name, "" if guarded or listed or (mock and method == "options") else problem)


# Ways to a function that no rule here judges.
ENTRY_POINTS = {
    "AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Api", "AWS::AppSync::Api", "AWS::AppSync::GraphQLApi",
    "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::Lambda::Url",
}  # fmt: skip
# Services that may invoke functions, each for one resource of this account.
CALLERS = ("apigateway.amazonaws.com", "events.amazonaws.com")


@rule
def functions_have_no_other_entry_points(stack: Stack) -> Iterator[Verdict]:
    """Functions are reached by the REST APIs' documents and by rules alone, each for one source.

    Whoever invokes a function directly writes the claims that it trusts themselves.
    """
    for resource in stack.resources.values():
        unjudged = resource.kind in ENTRY_POINTS
        yield Verdict(
            resource.name, f"is a {resource.kind}: no rule judges who comes in there" if unjudged else ""
        )
    for permission in stack.of("AWS::Lambda::Permission"):
        source = str(permission.properties.get("SourceArn", ""))
        own = permission.properties["Principal"] in CALLERS and f":{stack.place.account}:" in source
        yield Verdict(permission.name, "" if own else "lets in more than one source of this account")


@rule
def authorizers_are_the_operators_pool(stack: Stack) -> Iterator[Verdict]:
    """An authorizer of Cognito's trusts the pool of this stack, and a keyed route has an API key."""
    for api in stack.of("AWS::ApiGateway::RestApi"):
        schemes = api.properties["Body"].get("components", {}).get("securitySchemes", {})
        for path, method, operation in operations(api):
            for name in [name for each in operation.get("security", []) for name in each]:
                yield Verdict(
                    api.name, _scheme_problem(stack, api, f"{method.upper()} {path}", schemes.get(name, {}))
                )


# APIs whose keyed routes the API portal sells: where it is off, they are closed.
SOLD = {"ImagesApi", "RidesApi"}


def _scheme_problem(stack: Stack, api: Resource, what: str, scheme: dict[str, Any]) -> str:
    authorizer = scheme.get("x-amazon-apigateway-authorizer")
    if authorizer is None:
        closed = api.name in SOLD and "PortalApi" not in stack.resources
        if not closed and api.identifier not in _planned(stack):
            return f"guards {what} by a key, and no usage plan makes one good"
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


def _planned(stack: Stack) -> set[str]:
    """The APIs that usage plans have."""
    plans = stack.of("AWS::ApiGateway::UsagePlan")
    return {stage["ApiId"] for plan in plans for stage in plan.properties.get("ApiStages", [])}


# Functions that ask for the group `operators` before they answer; and APIs of which nobody else may call a
# route.
OPERATORS = {"InsightsFunction"}
OPERATORS_APIS = {"InsightsApi"}


def _lets_operators_in(stack: Stack, scheme: dict[str, Any]) -> bool:
    """Whether a scheme takes tokens of a pool that is not the visitors'."""
    arns = scheme.get("x-amazon-apigateway-authorizer", {}).get("providerARNs", [])
    pools = [stack.at(arn, "AWS::Cognito::UserPool") for arn in arns]
    return any(pool is None or pool.name not in VISITORS for pool in pools)


@rule
def operators_routes_ask_for_the_group(stack: Stack) -> Iterator[Verdict]:
    """A route behind the operators' pool leads to a function that reads the group, as no authorizer does."""
    asking = [function for function in stack.of(FUNCTION) if function.name in OPERATORS]
    for api in stack.of("AWS::ApiGateway::RestApi"):
        schemes = api.properties["Body"].get("components", {}).get("securitySchemes", {})
        for path, method, operation in operations(api):
            names = [name for each in operation.get("security", []) for name in each]
            pooled = [name for name in names if _lets_operators_in(stack, schemes.get(name, {}))]
            uri = str(operation.get("x-amazon-apigateway-integration", {}).get("uri", ""))
            asks = any(f"{function.arn}/" in uri for function in asking)
            what = f"{method.upper()} {path}"
            if pooled:
                problem = (
                    f"answers {what} to any account of the pool: ask is_operator, and add the function to "
                    f"OPERATORS of {__name__}"
                )
                yield Verdict(api.name, "" if asks else problem)
            elif api.name in OPERATORS_APIS and method != "options":
                yield Verdict(api.name, f"guards {what} by something else than the operators' pool")


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
        if stage.properties.get("CacheClusterEnabled"):
            yield Verdict(stage.name, "has a cache cluster, which costs by the hour")
        settings = [
            each for each in stage.properties.get("MethodSettings", []) if each.get("ThrottlingRateLimit")
        ]
        yield Verdict(
            stage.name, "" if settings else "is not throttled: one visitor could spend without bound"
        )
