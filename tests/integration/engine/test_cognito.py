"""Cognito: who may make an account."""

from __future__ import annotations

from contextlib import suppress

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
