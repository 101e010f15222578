"""Cognito: who may make an account, how long a session lasts."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

from tests.support.cloud import Cloud


def test_strangers_cannot_sign_up_where_administrators_alone_make_accounts(cloud: Cloud) -> None:
    """ "SignUp is not permitted for this user pool", a NotAuthorizedException."""
    people = cloud.client("cognito-idp")
    pool = people.create_user_pool(
        PoolName="closed", AdminCreateUserConfig={"AllowAdminCreateUserOnly": True}
    )["UserPool"]["Id"]
    client = people.create_user_pool_client(UserPoolId=pool, ClientName="pages")["UserPoolClient"]["ClientId"]
    with suppress(people.exceptions.NotAuthorizedException):
        people.sign_up(ClientId=client, Username="stranger", Password="Correct-horse-9")
    people.admin_create_user(UserPoolId=pool, Username="colleague", MessageAction="SUPPRESS")
    assert [each["Username"] for each in people.list_users(UserPoolId=pool)["Users"]] == ["colleague"]


def test_a_revoked_refresh_token_renews_no_session(cloud_with_iam: Cloud) -> None:
    """ "After revocation, you can't use the revoked token to access Amazon Cognito user APIs".

    https://docs.aws.amazon.com/cognito/latest/developerguide/revocation-endpoint.html
    """
    cloud = cloud_with_iam
    people = cloud.client("cognito-idp")
    pool = people.create_user_pool(PoolName="console")["UserPool"]["Id"]
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client = people.create_user_pool_client(UserPoolId=pool, ClientName="pages", ExplicitAuthFlows=flows)
    client_id = client["UserPoolClient"]["ClientId"]
    people.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    people.admin_set_user_password(
        UserPoolId=pool, Username="ada", Password="Correct-horse-9", Permanent=True
    )

    def signed_in() -> str:
        answer = people.admin_initiate_auth(
            UserPoolId=pool, ClientId=client_id, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ada", "PASSWORD": "Correct-horse-9"},
        )  # fmt: skip
        return str(answer["AuthenticationResult"]["RefreshToken"])

    def post(path: str, **fields: str) -> tuple[int, bytes]:
        answer = requests.post(f"{cloud.engine.endpoint}{path}", data=fields, timeout=10)
        return answer.status_code, answer.content

    def renew(token: str) -> int:
        return post("/oauth2/token", grant_type="refresh_token", client_id=client_id, refresh_token=token)[0]

    kept, revoked = signed_in(), signed_in()
    assert (renew(kept), renew(revoked)) == (200, 200)
    assert post("/oauth2/revoke", token=revoked, client_id="somebody-elses")[0] == 401
    assert renew(revoked) == 200
    assert post("/oauth2/revoke", token=revoked, client_id=client_id) == (200, b"")
    assert (renew(kept), renew(revoked)) == (200, 400)
    assert b"unsupported_token_type" in post("/oauth2/revoke", token="x", client_id=client_id)[1]
    assert b"invalid_request" in post("/oauth2/revoke", client_id=client_id)[1]


def test_a_renewed_session_keeps_its_groups(cloud: Cloud) -> None:
    """By the hosted pages, as browsers sign in: ID tokens have `cognito:groups` after a refresh, too."""
    people = cloud.client("cognito-idp")
    pool = people.create_user_pool(PoolName="console")["UserPool"]["Id"]
    page = "http://console.localhost/"
    client_id = people.create_user_pool_client(
        UserPoolId=pool, ClientName="pages", AllowedOAuthFlowsUserPoolClient=True, AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"], CallbackURLs=[page], SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]["ClientId"]  # fmt: skip
    people.create_user_pool_domain(UserPoolId=pool, Domain=cloud.name("console"))
    people.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    people.admin_set_user_password(
        UserPoolId=pool, Username="ada", Password="Correct-horse-9", Permanent=True
    )
    people.create_group(UserPoolId=pool, GroupName="operators")
    people.admin_add_user_to_group(UserPoolId=pool, Username="ada", GroupName="operators")
    browser = requests.Session()
    asked = {"response_type": "code", "client_id": client_id, "redirect_uri": page, "scope": "openid"}
    form = browser.get(f"{cloud.engine.endpoint}/oauth2/authorize", params=asked, timeout=10).text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    fields |= {"username": "ada", "password": "Correct-horse-9"}
    back = browser.post(
        f"{cloud.engine.endpoint}/login", data=fields, allow_redirects=False, timeout=10
    ).headers["Location"]

    def tokens(**grant: str) -> dict[str, str]:
        answer = requests.post(
            f"{cloud.engine.endpoint}/oauth2/token", data={"client_id": client_id, **grant}, timeout=10
        )
        return dict(answer.json())

    def groups(token: str) -> object:
        return jwt.decode(token, options={"verify_signature": False}).get("cognito:groups")

    first = tokens(
        grant_type="authorization_code", redirect_uri=page, code=parse_qs(urlsplit(back).query)["code"][0]
    )
    renewed = tokens(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert groups(first["id_token"]) == groups(renewed["id_token"]) == ["operators"]
