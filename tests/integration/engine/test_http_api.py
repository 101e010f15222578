"""HTTP APIs as SAM makes them, called over real HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

from tests.support.cloud import Cloud

SOURCE = """
import json

def handler(event, context):
    if event["rawPath"].endswith("/raise"):
        raise RuntimeError("boom")
    return {"statusCode": 200, "body": json.dumps(event)}

def authorizer(event, context):
    return {"isAuthorized": event["headers"].get("x-token") == "good", "context": {"who": "me"}}
"""


def asking(cloud: Cloud, api_id: str) -> Callable[..., tuple[int, dict[str, str], Any]]:
    def ask(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", cloud.engine.port, timeout=20)
        try:
            host = f"{api_id}.execute-api.localhost:{cloud.engine.port}"
            sent = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            body = answer.read()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, json.loads(body) if body else None
        finally:
            connection.close()

    return ask


def sam(events: dict[str, dict[str, Any]], **api: Any) -> dict[str, Any]:
    def function(handler: str, **more: Any) -> dict[str, Any]:
        code = {"Runtime": "python3.13", "Handler": f"index.{handler}", "InlineCode": SOURCE}
        return {"Type": "AWS::Serverless::Function", "Properties": {**code, **more}}

    made = {
        name: {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, **properties}}
        for name, properties in events.items()
    }
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Api": {"Type": "AWS::Serverless::HttpApi", "Properties": api},
            "Function": function("handler", Events=made),
            "Authorizer": function("authorizer"),
            "Pool": {"Type": "AWS::Cognito::UserPool", "Properties": {}},
            "Client": {
                "Type": "AWS::Cognito::UserPoolClient",
                "Properties": {
                    "UserPoolId": {"Ref": "Pool"},
                    "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
                },
            },
        },
        "Outputs": {
            "ApiId": {"Value": {"Ref": "Api"}},
            "Pool": {"Value": {"Ref": "Pool"}},
            "Client": {"Value": {"Ref": "Client"}},
        },
    }


def token(cloud: Cloud, pool: str, client: str) -> str:
    """Sign a new user in; its identity token."""
    cognito = cloud.client("cognito-idp")
    cognito.admin_create_user(UserPoolId=pool, Username="u", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username="u", Password="Passw0rd!", Permanent=True)
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "u", "PASSWORD": "Passw0rd!"},
    )
    found: str = signed_in["AuthenticationResult"]["IdToken"]
    return found


ROUTES = {"Get": {"Path": "/items/{id}", "Method": "get"}, "Any": {"Path": "/any/{proxy+}", "Method": "any"}}


def test_routes_of_the_body(cloud: Cloud) -> None:
    stack = cloud.deploy(sam({**ROUTES, "Rest": {"Path": "$default", "Method": "any"}}))
    ask = asking(cloud, stack["ApiId"])
    status, _headers, event = ask("/items/a%20b?x=1&x=2")
    assert status == 200
    assert (event["routeKey"], event["pathParameters"]) == ("GET /items/{id}", {"id": "a b"})
    assert (event["version"], event["queryStringParameters"]) == ("2.0", {"x": "1,2"})
    assert ask("/any/x/y", "PUT")[2]["routeKey"] == "ANY /any/{proxy+}"
    assert ask("/elsewhere", "POST")[2]["routeKey"] == "$default"


def test_jwt_authorizers_check_issuer_and_audience(cloud: Cloud) -> None:
    issuer = {"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}"}

    def jwt(audience: Any) -> dict[str, Any]:
        return {
            "IdentitySource": "$request.header.Authorization",
            "JwtConfiguration": {"issuer": issuer, "audience": [audience]},
        }

    stack = cloud.deploy(
        sam(
            {
                "Mine": {"Path": "/mine", "Method": "get", "Auth": {"Authorizer": "Mine"}},
                "Other": {"Path": "/other", "Method": "get", "Auth": {"Authorizer": "Other"}},
            },
            Auth={"Authorizers": {"Mine": jwt({"Ref": "Client"}), "Other": jwt("somebody-else")}},
        )
    )
    ask = asking(cloud, stack["ApiId"])
    assert ask("/mine")[0] == 401
    bearer = f"Bearer {token(cloud, stack['Pool'], stack['Client'])}"
    status, _headers, event = ask("/mine", Authorization=bearer)
    assert status == 200
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["aud"] == stack["Client"]
    assert ask("/other", Authorization=bearer)[0] == 401


def test_lambda_authorizers_with_simple_responses(cloud: Cloud) -> None:
    authorizer = {
        "FunctionArn": {"Fn::GetAtt": ["Authorizer", "Arn"]},
        "AuthorizerPayloadFormatVersion": "2.0",
        "EnableSimpleResponses": True,
        "Identity": {"Headers": ["x-token"]},
    }
    stack = cloud.deploy(
        sam(
            {"Get": {"Path": "/a", "Method": "get", "Auth": {"Authorizer": "Custom"}}},
            Auth={"Authorizers": {"Custom": authorizer}},
        )
    )
    ask = asking(cloud, stack["ApiId"])
    assert [ask("/a")[0], ask("/a", x_token="bad")[0]] == [401, 403]
    status, _headers, event = ask("/a", x_token="good")
    assert (status, event["requestContext"]["authorizer"]["lambda"]) == (200, {"who": "me"})


def test_cors_and_title_of_the_body(cloud: Cloud) -> None:
    stack = cloud.deploy(
        sam(
            ROUTES,
            Name="named",
            CorsConfiguration={"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60},
        )
    )
    ask = asking(cloud, stack["ApiId"])
    status, headers, _body = ask(
        "/items/1", "OPTIONS", Origin="https://a.example", Access_Control_Request_Method="GET"
    )
    assert (status, headers.get("access-control-allow-origin")) == (204, "https://a.example")
    assert headers["access-control-max-age"] == "60"
    assert (
        ask("/items/1", Origin="https://a.example")[1]["access-control-allow-origin"] == "https://a.example"
    )
    assert cloud.client("apigatewayv2").get_api(ApiId=stack["ApiId"])["Name"] == "named"


def test_a_failing_function_is_an_internal_error(cloud: Cloud) -> None:
    ask = asking(cloud, cloud.deploy(sam(ROUTES))["ApiId"])
    status, _headers, body = ask("/any/raise")
    assert (status, body) == (500, {"message": "Internal Server Error"})


def test_an_update_keeps_the_id_and_changes_the_routes(cloud: Cloud) -> None:
    stack = cloud.deploy(sam(ROUTES))
    formation = cloud.client("cloudformation")
    formation.update_stack(
        StackName=stack["StackName"],
        TemplateBody=json.dumps(sam({"New": {"Path": "/new", "Method": "get"}})),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    formation.get_waiter("stack_update_complete").wait(
        StackName=stack["StackName"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    assert cloud.outputs(stack["StackName"])["ApiId"] == stack["ApiId"]
    ask = asking(cloud, stack["ApiId"])
    assert [ask("/new")[0], ask("/items/1")[0]] == [200, 404]
