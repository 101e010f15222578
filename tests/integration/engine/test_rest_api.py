"""REST APIs as SAM makes them, called over real HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.cloud import Cloud

ECHO = """
import json

def handler(event, context):
    wanted = (event["queryStringParameters"] or {}).get("answer")
    if wanted == "raise":
        raise RuntimeError("boom")
    if wanted is not None:
        return json.loads(wanted)
    return {"statusCode": 200, "body": json.dumps(event)}
"""


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for field, value in self.headers if field.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


type Ask = Callable[..., Reply]


def asking(cloud: Cloud, api_id: str, stage: str = "prod") -> Ask:
    def ask(path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", cloud.engine.port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/restapis/{api_id}/{stage}/_user_request_{path}", body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    return ask


def sam(events: dict[str, dict[str, Any]], **api: Any) -> dict[str, Any]:
    """A SAM template of one API and one function that is behind each of ``events``."""
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "prod", **api}},
            "Function": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "InlineCode": ECHO,
                    "Events": {
                        name: {"Type": "Api", "Properties": {"RestApiId": {"Ref": "Api"}, **properties}}
                        for name, properties in events.items()
                    },
                },
            },
        },
        "Outputs": {
            "ApiId": {"Value": {"Ref": "Api"}},
            "FunctionArn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
        },
    }


def update(cloud: Cloud, stack: str, template: dict[str, Any]) -> dict[str, str]:
    formation = cloud.client("cloudformation")
    formation.update_stack(
        StackName=stack,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    formation.get_waiter("stack_update_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    return cloud.outputs(stack)


ANY = {"Any": {"Path": "/any/{proxy+}", "Method": "any"}}


def test_a_method_any_takes_every_verb(cloud: Cloud) -> None:
    ask = asking(cloud, cloud.deploy(sam(ANY))["ApiId"])
    for verb in ("GET", "POST", "DELETE"):
        reply = ask("/any/a/b", verb)
        assert reply.status == 200
        assert (reply.json["httpMethod"], reply.json["pathParameters"]) == (verb, {"proxy": "a/b"})
    head = ask("/any/a", "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_query_strings_reach_the_function_decoded_once(cloud: Cloud) -> None:
    ask = asking(cloud, cloud.deploy(sam({"Get": {"Path": "/resize", "Method": "get"}}))["ApiId"])
    event = ask("/resize?key=300x300/%C3%A4%20b%2Bc.jpg&twice=1&twice=2&escaped=%2541&empty=").json
    assert event["queryStringParameters"] == {
        "key": "300x300/ä b+c.jpg",
        "twice": "2",
        "escaped": "%41",
        "empty": "",
    }
    assert event["multiValueQueryStringParameters"]["twice"] == ["1", "2"]
    assert ask("/resize").json["queryStringParameters"] is None


def test_a_semicolon_in_a_query_splits_it(cloud: Cloud) -> None:
    ask = asking(cloud, cloud.deploy(sam({"Get": {"Path": "/resize", "Method": "get"}}))["ApiId"])
    event = ask("/resize?key=a;b.jpg").json
    assert event["multiValueQueryStringParameters"] == {"key": ["a"], "b.jpg": [""]}
    assert ask("/resize?key=a%3Bb.jpg").json["queryStringParameters"] == {"key": "a;b.jpg"}


@pytest.mark.ours_only
@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_of_a_function_pass_unchanged(cloud: Cloud, status: int) -> None:
    ask = asking(cloud, cloud.deploy(sam(ANY))["ApiId"])
    answer = {
        "statusCode": status,
        "headers": {"Location": "http://127.0.0.1/x%20y?z=%C3%A4", "Cache-Control": "no-store"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "",
    }
    for verb in ("GET", "HEAD"):
        reply = ask(f"/any/x?answer={http_quoted(answer)}", verb)
        assert (reply.status, reply.header("location")) == (status, "http://127.0.0.1/x%20y?z=%C3%A4")
        assert [value for name, value in reply.headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]
        assert reply.header("cache-control") == "no-store"


def http_quoted(answer: Any) -> str:
    return quote(json.dumps(answer), safe="")


@pytest.mark.parametrize(
    "answer",
    [
        "text",
        None,
        {"body": "no status"},
        {"statusCode": "abc", "body": ""},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": ["no", "mapping"]},
    ],
)
def test_a_malformed_answer_of_a_function_is_a_bad_gateway(cloud: Cloud, answer: Any) -> None:
    ask = malformed_api(cloud)
    reply = ask(f"/any/x?answer={http_quoted(answer)}")
    assert (reply.status, reply.json) == (502, {"message": "Internal server error"})
    assert reply.header("x-amzn-errortype") == "InternalServerErrorException"


def test_a_function_that_fails_is_a_bad_gateway_and_shows_nothing(cloud: Cloud) -> None:
    reply = malformed_api(cloud)("/any/x?answer=raise")
    assert (reply.status, reply.json) == (502, {"message": "Internal server error"})


_MALFORMED: dict[str, str] = {}


def malformed_api(cloud: Cloud) -> Ask:
    if cloud.endpoint not in _MALFORMED:
        _MALFORMED[cloud.endpoint] = cloud.deploy(sam(ANY))["ApiId"]
    return asking(cloud, _MALFORMED[cloud.endpoint])


def test_sams_cors_answers_the_preflight(cloud: Cloud) -> None:
    template = sam(
        {"Get": {"Path": "/a", "Method": "get"}},
        Cors={"AllowMethods": "'GET'", "AllowHeaders": "'x-mine'", "AllowOrigin": "'https://a.example'"},
    )
    ask = asking(cloud, cloud.deploy(template)["ApiId"])
    reply = ask("/a", "OPTIONS", Origin="https://a.example", Access_Control_Request_Method="GET")
    assert reply.status == 200
    assert reply.header("access-control-allow-origin") == "https://a.example"
    assert reply.header("access-control-allow-methods") == "GET"
    assert reply.header("access-control-allow-headers") == "x-mine"


@pytest.mark.ours_only
def test_an_api_without_cors_refuses_the_preflight(cloud: Cloud) -> None:
    ask = asking(cloud, cloud.deploy(sam({"Get": {"Path": "/a", "Method": "get"}}))["ApiId"])
    reply = ask("/a", "OPTIONS", Origin="https://a.example", Access_Control_Request_Method="GET")
    assert reply.status == 403
    assert reply.header("access-control-allow-origin") is None


def test_gateway_responses_dress_the_gateways_own_errors(cloud: Cloud) -> None:
    header = {"Access-Control-Allow-Origin": "'*'"}
    template = sam(
        {
            "Any": ANY["Any"],
            "Key": {"Path": "/key", "Method": "get", "Auth": {"ApiKeyRequired": True}},
            "Cognito": {"Path": "/me", "Method": "get", "Auth": {"Authorizer": "Pool"}},
        },
        Auth={"Authorizers": {"Pool": {"UserPoolArn": {"Fn::GetAtt": ["Pool", "Arn"]}}}},
        GatewayResponses={
            "DEFAULT_4XX": {"ResponseParameters": {"Headers": header}},
            "DEFAULT_5XX": {"ResponseParameters": {"Headers": header}},
            "MISSING_AUTHENTICATION_TOKEN": {
                "StatusCode": 404,
                "ResponseParameters": {"Headers": header},
                "ResponseTemplates": {"application/json": '{"code":"NotFound"}'},
            },
            "UNAUTHORIZED": {
                "ResponseTemplates": {
                    "application/json": '{"code":"SignIn","why":$context.error.messageString}'
                }
            },
        },
    )
    template["Resources"]["Pool"] = {"Type": "AWS::Cognito::UserPool", "Properties": {}}
    ask = asking(cloud, cloud.deploy(template)["ApiId"])
    missing = ask("/none")
    assert (missing.status, missing.json) == (404, {"code": "NotFound"})
    unauthorized = ask("/me")
    assert (unauthorized.status, unauthorized.json) == (401, {"code": "SignIn", "why": "Unauthorized"})
    forbidden = ask("/key")
    assert (forbidden.status, forbidden.json) == (403, {"message": "Forbidden"})
    broken = ask("/any/x?answer=raise")
    assert (broken.status, broken.json) == (502, {"message": "Internal server error"})
    for reply in (missing, forbidden, broken):
        assert reply.header("access-control-allow-origin") == "*"


def test_a_pool_without_scopes_lets_id_tokens_in_alone(cloud: Cloud) -> None:
    """ "If the OAuth Scopes option isn't specified, API Gateway treats [...] the token as an identity token".

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html
    """
    template = sam(
        {"Cognito": {"Path": "/me", "Method": "get", "Auth": {"Authorizer": "Pool"}}},
        Auth={"Authorizers": {"Pool": {"UserPoolArn": {"Fn::GetAtt": ["Pool", "Arn"]}}}},
    )
    template["Resources"]["Pool"] = {"Type": "AWS::Cognito::UserPool", "Properties": {}}
    template["Outputs"]["PoolId"] = {"Value": {"Ref": "Pool"}}
    outputs = cloud.deploy(template)
    people, pool = cloud.client("cognito-idp"), outputs["PoolId"]
    client = people.create_user_pool_client(
        UserPoolId=pool, ClientName="pages", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    people.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    people.admin_set_user_password(
        UserPoolId=pool, Username="ada", Password="Correct-horse-9", Permanent=True
    )
    tokens = people.admin_initiate_auth(
        UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": "Correct-horse-9"},
    )["AuthenticationResult"]  # fmt: skip
    ask = asking(cloud, outputs["ApiId"])
    assert ask("/me", Authorization=tokens["IdToken"]).status == 200
    assert ask("/me", Authorization=tokens["AccessToken"]).status == 401


def test_an_update_keeps_the_id_and_changes_the_routes(cloud: Cloud) -> None:
    first = cloud.deploy(sam({"A": {"Path": "/a", "Method": "get"}, "B": {"Path": "/b", "Method": "get"}}))
    ask = asking(cloud, first["ApiId"])
    assert (ask("/a").status, ask("/b").status) == (200, 200)
    again = update(
        cloud,
        first["StackName"],
        sam({"A": {"Path": "/a", "Method": "post"}, "C": {"Path": "/c", "Method": "get"}}),
    )
    assert again["ApiId"] == first["ApiId"]
    statuses = [ask("/a").status, ask("/a", "POST").status, ask("/b").status, ask("/c").status]
    assert statuses == [403, 200, 403, 200]
    apis = cloud.client("apigateway")
    assert "prod" in [stage["stageName"] for stage in apis.get_stages(restApiId=first["ApiId"])["item"]]
    assert "ms-custom-id" not in apis.get_rest_api(restApiId=first["ApiId"]).get("tags", {})


OPENAPI = """
openapi: 3.0.1
info: {title: Included, version: "1"}
x-amazon-apigateway-binary-media-types: [image/png]
x-amazon-apigateway-request-validators:
  all: {validateRequestParameters: true, validateRequestBody: true}
x-amazon-apigateway-gateway-responses:
  BAD_REQUEST_BODY:
    statusCode: "422"
    responseTemplates: {application/json: '{"code":"BadBody"}'}
components:
  parameters:
    Page: {name: page, in: query, required: true, schema: {type: string}}
  schemas:
    Part: {type: object, required: [n], properties: {n: {type: integer}}}
    Order: {type: object, required: [part], properties: {part: {$ref: "#/components/schemas/Part"}}}
paths:
  /orders:
    parameters:
      - {$ref: "#/components/parameters/Page"}
    post:
      operationId: placeOrder
      x-amazon-apigateway-request-validator: all
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      x-amazon-apigateway-integration:
        type: aws_proxy
        httpMethod: POST
        uri: {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"}
    options:
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: {application/json: '{"statusCode": 204}'}
        responses:
          default:
            statusCode: "204"
            responseParameters: {method.response.header.X-Region: {"Fn::Sub": "'${AWS::Region}'"}}
  /picture:
    x-amazon-apigateway-any-method:
      x-amazon-apigateway-integration:
        type: aws_proxy
        httpMethod: POST
        uri: {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"}
"""  # noqa: E501


def test_an_included_openapi_document_counts_as_a_whole(cloud: Cloud) -> None:
    bucket = cloud.name("snippets")
    cloud.client("s3").create_bucket(Bucket=bucket)
    cloud.client("s3").put_object(Bucket=bucket, Key="openapi.yaml", Body=OPENAPI.encode())
    include = {
        "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": f"s3://{bucket}/openapi.yaml"}}
    }
    stack = cloud.deploy(sam({}, DefinitionBody=include))
    ask = asking(cloud, stack["ApiId"])

    assert cloud.client("apigateway").get_rest_api(restApiId=stack["ApiId"])["name"] == "Included"
    order = json.dumps({"part": {"n": 1}}).encode()
    assert ask("/orders?page=1", "POST", order).json["body"] == order.decode()
    missing = ask("/orders", "POST", order)
    assert (missing.status, missing.json) == (
        400,
        {"message": "Missing required request parameters: [page]"},
    )
    wrong = ask("/orders?page=1", "POST", b'{"part": {"n": "one"}}')
    assert (wrong.status, wrong.json) == (422, {"code": "BadBody"})
    preflight = ask("/orders", "OPTIONS")
    assert (preflight.status, preflight.header("x-region")) == (204, cloud.region)
    upload = ask("/picture", "PUT", b"\x89PNG", Content_Type="image/png").json
    assert (upload["isBase64Encoded"], upload["body"]) == (True, "iVBORw==")


@pytest.mark.ours_only
def test_usage_plans_throttle_and_count(cloud: Cloud) -> None:
    template = sam(
        {"Key": {"Path": "/key", "Method": "get"}},
        Auth={
            "ApiKeyRequired": True,
            "UsagePlan": {
                "CreateUsagePlan": "PER_API",
                "Quota": {"Limit": 3, "Period": "DAY"},
                "Throttle": {"BurstLimit": 10, "RateLimit": 10},
            },
        },
        GatewayResponses={
            "QUOTA_EXCEEDED": {
                "ResponseTemplates": {"application/json": '{"code":"Quota"}'},
                "StatusCode": 429,
            }
        },
    )
    stack = cloud.deploy(template)
    apis = cloud.client("apigateway")
    resources = cloud.client("cloudformation").list_stack_resources(StackName=stack["StackName"])
    key_id = next(
        resource["PhysicalResourceId"]
        for resource in resources["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::ApiGateway::ApiKey"
    )
    key = apis.get_api_key(apiKey=key_id, includeValue=True)["value"]
    ask = asking(cloud, stack["ApiId"])
    assert ask("/key").status == 403
    assert [ask("/key", X_Api_Key=key).status for _ in range(4)] == [200, 200, 200, 429]
    assert ask("/key", X_Api_Key=key).json == {"code": "Quota"}


@pytest.mark.ours_only
def test_a_stages_method_settings_throttle(cloud: Cloud) -> None:
    settings = [
        {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 2}
    ]
    ask = asking(cloud, cloud.deploy(sam(ANY, MethodSettings=settings))["ApiId"])
    assert 429 in [ask("/any/x").status for _ in range(5)]


def test_a_function_learns_which_api_key_was_let_in(cloud: Cloud) -> None:
    made = cloud.deploy(
        sam({
            "Guarded": {"Path": "/guarded", "Method": "get", "Auth": {"ApiKeyRequired": True}},
            "Open": {"Path": "/open", "Method": "get"},
        })
    )  # fmt: skip
    gateway = cloud.client("apigateway")
    key = gateway.create_api_key(name=cloud.name("key"), enabled=True)
    stages = [{"apiId": made["ApiId"], "stage": "prod"}]
    plan = gateway.create_usage_plan(name=cloud.name("plan"), apiStages=stages)
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    ask = asking(cloud, made["ApiId"])
    assert ask("/guarded").status == 403
    identity = ask("/guarded", x_api_key=key["value"]).json["requestContext"]["identity"]
    assert (identity.get("apiKeyId"), identity.get("apiKey")) == (key["id"], key["value"])
    assert "apiKeyId" not in ask("/open", x_api_key=key["value"]).json["requestContext"]["identity"]


def test_requests_are_counted_by_the_name_of_the_api(cloud: Cloud) -> None:
    """Count, errors as rates, latency, with the dimension ApiName.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    """
    name = cloud.name("counted")
    ask = asking(cloud, cloud.deploy(sam({"Get": {"Path": "/any", "Method": "get"}}, Name=name))["ApiId"])
    answers = [ask("/any"), ask("/any?answer=raise"), ask("/nothing"), ask("/any")]
    assert [answer.status for answer in answers] == [200, 502, 403, 200]
    metrics = cloud.client("cloudwatch")
    now = datetime.now(UTC)

    def published(metric: str) -> tuple[float, float]:
        """Sum, and number of samples."""
        points = metrics.get_metric_statistics(
            Namespace="AWS/ApiGateway", MetricName=metric, Dimensions=[{"Name": "ApiName", "Value": name}],
            StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Period=7200,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]  # fmt: skip
        return sum(each["Sum"] for each in points), sum(each["SampleCount"] for each in points)

    assert published("Count") == (4, 4)
    assert (published("4XXError"), published("5XXError")) == ((1, 4), (1, 4))
    assert published("Latency")[0] > 0
