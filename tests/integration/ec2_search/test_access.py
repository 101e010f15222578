"""What the function's role may do is what it does, and its requests carry a good signature.

The engine has no data plane of OpenSearch, so its IAM does not see these requests: what the role's policy
allows is held against what the server was asked, both ways.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.credentials import Credentials

from local.search.proxy import SearchProxy
from shared.signed_http import SignedHttp, UnreachableError
from tests.integration.ec2_search.conftest import Search
from tests.support.permissions import BY_LAMBDA, allowed, refused, unused
from tests.support.sigv4 import is_signed

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
QUERY = {"timeout": "10s", "filter_path": "items.*.status,items.*.error.type", "q": "a b&c=d/é~"}


def test_allowed_actions_are_those_that_the_flows_use(search: Search) -> None:
    role, actions = allowed(search.suite, "Ec2IndexFunction")
    iam = search.suite.client("iam")
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    on_the_domain = {
        (each["Action"], each["Resource"].partition("-search/")[2])
        for each in policy
        if str(each["Action"]).startswith("es:")
    }
    assert search.invoke("no JSON", json.dumps(search.event(1))) == []
    search.dead_letters(1)
    asked = {(f"es:ESHttp{method.title()}", path.lstrip("/")) for method, path in search.proxy.seen}
    assert asked == on_the_domain
    assert refused(search.suite, "Ec2IndexFunction") == []
    left = {action for action in unused(search.suite, "Ec2IndexFunction") if not action.startswith("es:")}
    assert left == set(), "allowed, but no flow used it"
    assert actions - BY_LAMBDA == {"sqs:SendMessage", *(action for action, _ in on_the_domain)}


@pytest.mark.parametrize(
    "credentials", [("AKIDEXAMPLE", SECRET), ("ASIAEXAMPLE", SECRET, "a session's token")]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_requests_carry_a_good_signature(
    search_proxy_of_session: SearchProxy, credentials: tuple[Any, ...], method: str
) -> None:
    proxy = search_proxy_of_session
    proxy.behave()
    domain = SignedHttp(proxy.address, "es", "eu-west-1", credentials=Credentials(*credentials))
    body = b"" if method == "GET" else b'{"index_patterns":["nothing"]}'
    domain.send(method, "/_template/some-name", body, parameters=QUERY, headers={"osd-xsrf": "true"})
    [asked] = proxy.asked
    assert asked.headers.get("X-Amz-Security-Token") == (credentials[2] if credentials[2:] else None)
    request = (asked.method, asked.path, asked.headers, asked.body)
    assert is_signed(*request, SECRET)
    assert not is_signed(*request, "another")
    assert not is_signed(asked.method, asked.path, asked.headers, asked.body + b" ", SECRET)
    assert not is_signed(asked.method, asked.path.replace("some-name", "other"), *request[2:], SECRET)


def test_a_server_that_says_nothing_is_unreachable(search_proxy_of_session: SearchProxy) -> None:
    proxy = search_proxy_of_session
    proxy.behave()
    proxy.refuse_requests(0)
    domain = SignedHttp(proxy.address, "es", "eu-west-1", credentials=Credentials("AKIDEXAMPLE", SECRET))
    line = b'{"create":{"_id":"1"}}\n{}\n'
    with pytest.raises(UnreachableError):
        domain.send("POST", "/nothing/_bulk", line, headers={"Content-Type": "application/x-ndjson"})
