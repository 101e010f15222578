"""What must not get in, sent as a stranger or a careless company would send it."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from functools import partial
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from local.clients.company import Company
from local.suite import Suite
from tests.conftest import FAILURE_FLOOR_MS, Faults
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, mailed, said

LOGIN = {"email": "nobody@example.org", "password": "a password of nobody"}
REFUSED = {"code": "invalid_client", "message": "The request is not accepted."}


def raw(company: Company, body: bytes | str, **headers: str) -> requests.Response:
    """Send a body to /v1/login as it is."""
    base = {"x-api-key": company.api_key, "Content-Type": "application/json"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return company.suite.http.post(f"{company.url}/v1/login", data=body, headers=base | given)


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def hand_made(company: Company, header: str, claims: str, algorithm: str = "ES256") -> str:
    """Sign texts that no library would write."""
    message = f"{encoded(header)}.{encoded(claims)}"
    if algorithm == "none":
        return f"{message}."
    if algorithm == "HS256":
        pem = company.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
            message.encode(), pem
        )
    else:
        signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(
            message.encode(), company.key
        )
    return f"{message}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def jwk(company: Company) -> dict[str, Any]:
    made: dict[str, Any] = ECAlgorithm.to_jwk(company.key.public_key(), as_dict=True)
    return made


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"}, {"alg": "None"}, {"alg": "nOnE"}, {"alg": "HS256"}, {"alg": "ES384"}, {"typ": "JWT"},
        {"typ": "at+jwt"}, {"typ": None}, {"kid": "k2"}, {"kid": ""}, {"kid": None}, {"kid": "../k1"},
        {"kid": "k1\u0000"}, {"kid": "k1' OR 1=1 --"}, {"kid": "/dev/null"}, {"jwk": True},
        {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}, {"x5c": ["MII"]},
        {"crit": ["exp"]}, {"crit": ["b64"], "b64": False},
        {"b64": False}, {"zip": "DEF"}, {"cty": "JWT"},
    ],
    ids=str,
)  # fmt: skip
def test_a_request_with_an_odd_header_is_unauthorized(shop: Company, header: dict[str, Any]) -> None:
    made: dict[str, Any] = {"alg": "ES256", "typ": "client-request+jwt", "kid": shop.kid} | header
    if made.get("jwk"):
        made["jwk"] = jwk(shop)
    made = {name: value for name, value in made.items() if value is not None}
    claims = json.dumps(shop.claims("POST", "/v1/login", LOGIN))
    algorithm = {"none": "none", "hs256": "HS256"}.get(str(made["alg"]).lower(), "ES256")
    answer = shop.send("POST", "/v1/login", hand_made(shop, json.dumps(made), claims, algorithm))
    assert (answer.status_code, said(answer)) == (401, REFUSED)


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://another.example/live"}, {"aud": None}, {"iss": "nobody"}, {"iss": None},
        {"iss": "shop#../"}, {"exp": -60, "iat": -120}, {"exp": None}, {"iat": None},
        {"iat": 120, "exp": 180}, {"nbf": 120}, {"exp": 301}, {"exp": 10**9}, {"jti": None},
        {"jti": ""}, {"jti": "short"}, {"jti": "x" * 65}, {"jti": 1234567890}, {"jti": "with a blank"},
        {"htm": "GET"}, {"htm": None},
        {"htu": "/v1/signup"}, {"htu": "/v1/login/"}, {"htu": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_request_with_wrong_claims_is_unauthorized(shop: Company, change: dict[str, Any]) -> None:
    claims = shop.claims("POST", "/v1/login", LOGIN)
    now = int(time.time())
    for name, value in change.items():
        if value is None:
            del claims[name]
        else:
            claims[name] = now + value if name in ("exp", "iat", "nbf") else value
    answer = shop.send("POST", "/v1/login", shop.sign(claims))
    assert (answer.status_code, said(answer)) == (401, REFUSED)


def test_duplicate_members_of_a_token_are_unauthorized(shop: Company) -> None:
    good = json.dumps(shop.claims("POST", "/v1/login", LOGIN))
    header = json.dumps({"alg": "ES256", "typ": "client-request+jwt", "kid": shop.kid})
    for odd_header, claims in (
        (header.replace("{", '{"kid":"k0",', 1), good),
        (header, good.replace("{", '{"iss":"bank",', 1)),
        (header, good.replace("{", '{"email":"other@example.org",', 1)),
    ):
        answer = shop.send("POST", "/v1/login", hand_made(shop, odd_header, claims))
        assert (answer.status_code, said(answer)) == (401, REFUSED)


def test_a_replayed_request_is_unauthorized_whatever_became_of_the_first(
    shop: Company, person: Person
) -> None:
    good = shop.sign(shop.claims("POST", "/v1/login", {"email": person.email, "password": person.password}))
    assert shop.send("POST", "/v1/login", good).status_code == 200
    again = shop.send("POST", "/v1/login", good)
    assert (again.status_code, said(again)) == (401, REFUSED)
    wrong = shop.sign(shop.claims("POST", "/v1/login", LOGIN))
    assert shop.send("POST", "/v1/login", wrong).json()["code"] == "invalid_credentials"
    assert said(shop.send("POST", "/v1/login", wrong)) == REFUSED
    read = shop.sign(shop.claims("GET", f"/v1/users/{person.id}"))
    assert shop.send("GET", f"/v1/users/{person.id}", read).status_code == 200
    assert said(shop.send("GET", f"/v1/users/{person.id}", read)) == REFUSED


def test_another_key_another_api_key_or_none_is_unauthorized(suite: Suite, shop: Company) -> None:
    other = Company(suite, "key-thief")
    token = jwt.encode(
        shop.claims("POST", "/v1/login", LOGIN), ec.generate_private_key(ec.SECP256R1()), "ES256",
        {"typ": "client-request+jwt", "kid": shop.kid},
    )  # fmt: skip
    assert said(shop.send("POST", "/v1/login", token)) == REFUSED
    good = shop.sign(shop.claims("POST", "/v1/login", LOGIN))
    for headers in ({"x-api-key": other.api_key}, {"x-api-key": "guessed"}, {}):
        answer = suite.http.post(f"{shop.url}/v1/login", json={"request": good}, headers=headers)
        assert (answer.status_code, said(answer)) == (401, REFUSED), headers
    assert shop.send("POST", "/v1/login", good).json()["code"] == "invalid_credentials", "it was good itself"


def test_a_client_may_do_only_what_it_was_allowed(suite: Suite, person: Person) -> None:
    reader = Company(suite, "reader", scopes=["users:read"])
    assert reader.get(f"/v1/users/{person.id}").status_code == 200
    for method, path, payload in (
        ("POST", "/v1/login", LOGIN),
        ("PATCH", f"/v1/users/{person.id}", {"name": "Mallory"}),
        ("DELETE", f"/v1/users/{person.id}", None),
        ("GET", f"/v1/users/{person.id}/export", None),
        ("POST", f"/v1/users/{person.id}/merge", {"other": person.id}),
        ("POST", "/v1/users/import", {}),
        ("POST", "/v1/introspect", {"token": "x"}),
    ):
        answer = reader.ask(method, path, payload)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), path


def test_a_body_over_16_kb_is_too_large_before_it_is_parsed(shop: Company) -> None:
    for body in (b'{"request": "' + b"x" * 16_384 + b'"}', b"\xff" * 20_000, "é" * 8_193):
        answer = raw(shop, body if isinstance(body, bytes) else body.encode())
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert raw(shop, b"{" + b" " * 16_382 + b"}").status_code == 401, "16 KB are read"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"request": }', b"[]", b'"text"', b"null", b'{"request":"a","request":"b"}', b"NaN",
     b"[" * 9000,
     b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"a":[[[[[[[[[1]]]]]]]]]}', b"\xff\xfe", b'{"request": NaN}'],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_bad_or_deeply_nested_json_is_a_bad_request(shop: Company, body: bytes) -> None:
    answer = raw(shop, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")


def test_deeply_nested_claims_are_a_bad_request(shop: Company) -> None:
    deep: Any = "x"
    for _ in range(12):
        deep = {"a": deep}
    answer = shop.post("/v1/signup", email=fresh_email(), password=fresh_password(), profile={"name": deep})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "json"]
)
def test_another_content_type_is_unsupported(shop: Company, kind: str) -> None:
    answer = raw(shop, b'{"request": "x"}', Content_Type=kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")


@pytest.mark.parametrize(
    "payload",
    [{}, {"email": "a@example.org"}, {"password": "x"}, {"email": 1, "password": "x"},
     LOGIN | {"phone": "+351912345678"}, LOGIN | {"admin": True}, LOGIN | {"password": None},
     LOGIN | {"password": ["x"]}, LOGIN | {"totp": 123456}],
    ids=str,
)  # fmt: skip
def test_a_missing_malformed_or_unknown_member_is_a_bad_request(
    shop: Company, payload: dict[str, Any]
) -> None:
    answer = shop.post("/v1/login", **payload)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "email",
    ["ｐerson@example.org", "person@exam\u212ale.org", "person@ex\u0430mple.org",
     "person@\u0440\u0430\u0443\u0440\u0430l.com",
     f"{'a' * 65}@example.org", "a@example.org\r\nBcc: b@example.org", "a\n@example.org", "a@b@example.org",
     "@example.org", "a@", "a b@example.org", '"a b"@example.org', "a@[127.0.0.1]", "a@example..org",
     "a@-example.org",
     f"a@{'b' * 250}.org", "", " ", "a@example.org\u0000", "a\u202e@example.org"],
    ids=ascii,
)  # fmt: skip
def test_an_address_that_could_be_taken_for_another_is_a_bad_request(shop: Company, email: str) -> None:
    for path, more in (
        ("/v1/signup", {"password": fresh_password()}),
        ("/v1/login", {"password": "x"}),
        ("/v1/password/forgot", {}),
    ):
        answer = shop.post(path, email=email, **more)
        assert answer.status_code == 400, (path, answer.text)


@pytest.mark.parametrize(
    ("password", "code"),
    [("", "password_too_short"), ("fourteen chars", "password_too_short"), ("x" * 257, "password_too_long"),
     ("passwordpassword", "password_breached"), ("1234567890123456", "password_breached"),
     ("qwertyuiopasdfghjkl", "password_breached"), ("Password1234567890", "password_breached")],
)  # fmt: skip
def test_a_weak_password_is_unprocessable(shop: Company, password: str, code: str) -> None:
    answer = shop.post("/v1/signup", email=fresh_email(), password=password)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_own_address_is_a_weak_password(shop: Company) -> None:
    email = fresh_email("somebody")
    answer = shop.post("/v1/signup", email=email, password=email.upper())
    assert (answer.status_code, answer.json()["code"]) == (422, "password_breached")


@pytest.mark.parametrize(
    "password", ["The Shop 123456789", "theshop-theshop-theshop", "SHOP!shop!SHOP!shop!"]
)
def test_a_name_of_the_company_is_a_weak_password(person: Person, password: str) -> None:
    shop, email = person.shop, fresh_email()
    shown = {"access_token": person.tokens()["access_token"], "current": person.password}
    for answer in (
        shop.post("/v1/signup", email=email, password=password),
        shop.post("/v1/password/change", password=password, **shown),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "password_breached")


def test_unknown_wrong_empty_and_locked_get_the_same_answer(
    shop: Company, person: Person, suite: Suite
) -> None:
    answers = [
        shop.post("/v1/login", email=fresh_email(), password=person.password),
        shop.post("/v1/login", email=person.email, password=fresh_password()),
        shop.post("/v1/login", email=person.email, password=""),
        shop.post("/v1/login", phone="+351 912 345 678", password=person.password),
        shop.post("/v1/login", email=person.email, password="x" * 5000),
    ]
    lock(suite, shop, person)
    answers.append(person.log_in())
    assert {answer.status_code for answer in answers} == {401}
    refused = {"code": "invalid_credentials", "message": "The name or the password is wrong."}
    assert [said(answer) for answer in answers] == [refused] * len(answers)
    assert len({len(answer.content) for answer in answers}) == 1
    assert len({frozenset(answer.headers) - {"x-amzn-requestid"} for answer in answers}) == 1


def alias(suite: Suite, company: Company, user: str) -> str:
    """Return the partition of the alias of a person, which only the table knows."""
    pages = (
        suite.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=suite["AuthUsersTableName"],
            FilterExpression="begins_with(pk, :e) AND #user = :user",
            ExpressionAttributeNames={"#user": "user"},
            ExpressionAttributeValues={":e": {"S": "E#"}, ":user": {"S": user}},
        )
    )
    return str(next(item["pk"]["S"] for page in pages for item in page["Items"]))


def lock(suite: Suite, company: Company, person: Person) -> None:
    """Let nine log-ins have failed, and fail once more."""
    suite.client("dynamodb").update_item(
        TableName=suite["AuthUsersTableName"],
        Key={"pk": {"S": alias(suite, company, person.id)}, "sk": {"S": "."}},
        UpdateExpression="SET failed = :nine, #wait = :none, #last = :now",
        ExpressionAttributeNames={"#wait": "wait", "#last": "last"},
        ExpressionAttributeValues={
            ":nine": {"N": "9"},
            ":none": {"N": "0"},
            ":now": {"N": str(int(1000 * time.time()))},
        },
    )
    assert company.post("/v1/login", email=person.email, password="wrong").status_code == 401


def test_a_locked_account_opens_by_choosing_a_new_password(
    shop: Company, person: Person, suite: Suite
) -> None:
    lock(suite, shop, person)
    assert person.log_in().status_code == 401
    shop.post("/v1/password/forgot", email=person.email)
    token = mailed(suite, person.email, "reset")
    person.password = fresh_password()
    assert shop.post("/v1/password/reset", token=token, password=person.password).status_code == 204
    assert person.log_in().status_code == 200


@pytest.mark.parametrize("known", [True, False])
def test_too_many_attempts_of_one_identifier_have_to_wait(shop: Company, person: Person, known: bool) -> None:
    email = person.email if known else fresh_email()
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 12:
        answer = shop.post("/v1/login", email=email, password=fresh_password())
        statuses.append(answer.status_code)
    assert statuses == [401] * 6 + [429]
    assert answer.json()["code"] == "too_many_attempts"
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_too_many_failures_of_one_client_have_to_wait(suite: Suite) -> None:
    noisy = Company(suite, f"noisy-{secrets.token_hex(4)}")
    window = int(time.time()) // 60 * 60
    for start in (window, window + 60):  # whichever the next request falls into
        suite.client("dynamodb").put_item(
            TableName=suite["AuthUsersTableName"],
            Item={
                "pk": {"S": f"L#failures#{noisy.name}"}, "sk": {"S": str(start)},
                "count": {"N": "300"}, "expires": {"N": str(start + 300)},
            },
        )  # fmt: skip
    answer = noisy.post("/v1/login", email=fresh_email(), password=fresh_password())
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_failures")
    assert 0 < int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("known", [True, False])
def test_too_many_mails_have_to_wait(shop: Company, person: Person, known: bool) -> None:
    email = person.email if known else fresh_email()
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 8:
        answer = shop.post("/v1/password/forgot", email=email)
        statuses.append(answer.status_code)
    # A sign-up has had one of the five already.
    assert statuses == [202] * (4 if known else 5) + [429]
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 5000, "../../etc/passwd", "\u0000"])
def test_a_made_up_token_of_a_mail_is_a_bad_request(shop: Company, token: str) -> None:
    for path, more in (("/v1/verify", {}), ("/v1/password/reset", {"password": fresh_password()})):
        answer = shop.post(path, token=token, **more)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token")


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "x" * 5000, "AAAA" * 12 + "." + "BBBB" * 8, "é"])
def test_a_made_up_refresh_token_is_unauthorized(shop: Company, token: str) -> None:
    answer = shop.post("/v1/token/refresh", refresh_token=token)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_grant")


def test_an_unknown_path_or_method_is_not_found(shop: Company, suite: Suite) -> None:
    for method, path in (
        ("GET", "/v1/login"),
        ("POST", "/v1/nothing"),
        ("GET", "/v2/login"),
        ("PUT", "/v1/login"),
    ):
        answer = suite.http.request(method, f"{shop.url}{path}", headers={"x-api-key": shop.api_key})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


def test_a_disabled_key_of_this_region_is_unavailable_with_a_time_to_come_back(
    shop: Company, person: Person, faults: Faults, suite: Suite
) -> None:
    key = suite.client("cloudformation").describe_stack_resource(
        StackName="suite-local", LogicalResourceId="AuthKey"
    )["StackResourceDetail"]["PhysicalResourceId"]
    suite.client("kms").disable_key(KeyId=key)
    try:
        answers = [
            person.log_in(),
            shop.get(f"/v1/users/{person.id}"),
            shop.post("/v1/signup", email=fresh_email(), password=fresh_password()),
        ]
    finally:
        suite.client("kms").enable_key(KeyId=key)
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "key_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert person.log_in().status_code == 200


@pytest.mark.parametrize("service", ["dynamodb.TransactWriteItems", "dynamodb.UpdateItem", "sqs.SendMessage"])
def test_a_throttled_service_is_unavailable_and_the_request_can_be_sent_again(
    shop: Company, newcomer: Person, faults: Faults, service: str
) -> None:
    faults.inject({"match": service, "rate": 1, "status": 400, "type": "ThrottlingException"})
    answer = shop.post("/v1/signup", email=newcomer.email, password=newcomer.password)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert sum(faults.hits()) > 0
    faults.clear()
    assert shop.post("/v1/signup", email=newcomer.email, password=newcomer.password).status_code == 202


def test_mails_that_an_outage_kept_back_do_not_count(person: Person, faults: Faults) -> None:
    """An address has five an hour; six outages must leave them."""
    faults.inject({"match": "sqs.SendMessage", "rate": 1, "status": 503, "type": "ServiceUnavailable"})
    ask = partial(person.shop.post, "/v1/password/forgot", email=person.email)
    assert [ask().status_code for _ in range(6)] == [503] * 6
    faults.clear()
    assert ask().status_code == 202


def test_refused_log_ins_take_the_same_time_whatever_the_reason(
    shop: Company, person: Person, suite: Suite
) -> None:
    """That none is answered before the floor; bench/auth.py holds the medians against each other."""
    took: list[float] = []
    for email, password in ((fresh_email(), "x"), (person.email, ""), (person.email, fresh_password())):
        start = time.monotonic()
        assert shop.post("/v1/login", email=email, password=password).status_code == 401
        took.append(time.monotonic() - start)
    assert min(took) >= FAILURE_FLOOR_MS / 1000, took
