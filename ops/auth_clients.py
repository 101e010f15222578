"""Register client companies and applications at the central authentication.

``make clients STACK=suite-prod DO='add shop --company shop --title "The Shop" --key public.pem --scopes
accounts'`` makes the API key, prints it, puts it on the usage plan, and stores what functions need. ``list``,
``add-key``, ``remove-key`` and ``remove`` do what they say; ``add-page`` registers the suite's page `auth/`;
``check`` says what is wrong with a JWT that a client made. Functions notice within half a minute. Without
STACK `local.run` has it work on the local suite that is up.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ops.public_keys import WeakKeyError, public_jwk
from ops.stacks import CommandError, clients, outputs_of, reported

__all__ = [
    "ID_TOKEN_ALGORITHMS",
    "PAGE_CLIENT",
    "SCOPES",
    "SIGN_ON_SCOPES",
    "ClientError",
    "is_registered",
    "register",
    "register_page",
    "remove",
]

type Factory = Callable[[str], Any]

# As in functions/auth/auth; a unit test holds them equal.
SCOPES = (
    "accounts", "tokens", "users:read", "users:write", "users:erase", "users:export", "users:merge",
    "users:import",
)  # fmt: skip
SIGN_ON_SCOPES = ("openid", "profile", "email", "phone", "offline_access")
ID_TOKEN_ALGORITHMS = ("RS256", "ES256")  # the default first
PAGE_CLIENT = "sign-on-page"  # as in web/auth/auth.js
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TITLE_LENGTH = 100
# Host and port become a part of the pages' Content-Security-Policy.
_REST = r"(:[0-9]{1,5})?(/[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]*)?"
_SAFE = re.compile(rf"https://[a-z0-9.-]+{_REST}")
_LOOPBACK = re.compile(rf"http://(127\.0\.0\.1|([a-z0-9-]+\.)*localhost){_REST}")


_PLACEHOLDER = "{token}"


class ClientError(ValueError):
    """What is to be registered is not acceptable; says why."""


def register(
    factory: Factory,
    outputs: Mapping[str, str],
    client_id: str,
    *,
    company: str,
    title: str,
    keys: Iterable[Mapping[str, str]] = (),
    scopes: Iterable[str] = (),
    trusted: bool = False,
    redirect_uris: Iterable[str] = (),
    logout_uris: Iterable[str] = (),
    links: Mapping[str, str] | None = None,
    sign_on_scopes: Iterable[str] = (),
    resources: Iterable[str] = (),
    id_token_alg: str = ID_TOKEN_ALGORITHMS[0],
) -> str:
    """Register a client, or replace what is registered of it; an API key that it has stays.

    Args:
        factory: Gives the boto3 client of a service.
        outputs: The stack's outputs.
        client_id: Its name: small letters, digits and hyphens.
        company: The company whose people it imports; `*` for the group's own, which imports for all.
        title: What people read on the consent page and in mails.
        keys: Its public keys (see `public_jwk`); none for an application without a server.
        scopes: What it may do at `/v1`, of `SCOPES`.
        trusted: An application of the group itself, for which people are not asked for consent; it has keys.
        redirect_uris: Where single sign-on may send people.
        logout_uris: The same after signing out.
        links: Pages for mails, `verify` and `reset`, with `{token}` where the token goes.
        sign_on_scopes: What it may ask people for, of `SIGN_ON_SCOPES`; `openid` always.
        resources: Addresses of the APIs that its access tokens are for, the default first; by default one
            that stands for the company.
        id_token_alg: What its ID tokens are signed with, of `ID_TOKEN_ALGORITHMS`.

    Returns:
        The API key; empty for a client without scopes, which needs none.

    Raises:
        ClientError: Something is not acceptable.
    """
    record = {
        "company": company,
        "scopes": sorted(scopes),
        "keys": list(keys),
        "title": title,
        "trusted": trusted,
        "redirect_uris": list(redirect_uris),
        "logout_uris": list(logout_uris),
        "links": dict(links or {}),
        "sign_on_scopes": sorted({"openid", *sign_on_scopes}),
        "resources": list(resources),
        "id_token_alg": id_token_alg,
    }
    _check_record(client_id, record)
    known = _stored(factory, outputs, client_id)
    key_id, key = _api_key(factory, outputs, client_id, known) if record["scopes"] else ("", "")
    # Who is removed and registered anew is somebody else: consents, codes and sessions of before are void.
    registration = secrets.token_hex(8) if known is None else known.get("registration", "")
    _store(factory, outputs, client_id, record | {"api_key_id": key_id, "registration": registration})
    return key


def _check_record(client_id: str, record: Mapping[str, Any]) -> None:
    """Refuse what is not acceptable of a client.

    Raises:
        ClientError: Says what.
    """
    if not _NAME.fullmatch(client_id):
        raise ClientError("a client's name has small letters, digits and hyphens")
    if record["company"] != "*" and not _NAME.fullmatch(record["company"]):
        raise ClientError("a company's name has small letters, digits and hyphens; * is the group's own")
    if not record["title"].isprintable() or not 0 < len(record["title"].strip()) <= _TITLE_LENGTH:
        raise ClientError(f"a title is a line of text, at most {_TITLE_LENGTH} characters")
    for kind, known in (("scopes", SCOPES), ("sign_on_scopes", SIGN_ON_SCOPES)):
        if unknown := set(record[kind]) - set(known):
            raise ClientError(f"unknown scopes: {', '.join(sorted(unknown))}")
    if record["trusted"] and not record["keys"]:
        raise ClientError("an application without a key is nobody for certain: people are asked for consent")
    kids = [key["kid"] for key in record["keys"]]
    if len(set(kids)) != len(kids):
        raise ClientError("two keys have one name")
    _check_addresses(record)


def _check_addresses(record: Mapping[str, Any]) -> None:
    for uri in (*record["redirect_uris"], *record["logout_uris"], *record["resources"]):
        if not _is_safe(uri):
            raise ClientError(f"{uri} is neither https nor an address of this machine, or has a fragment")
    for link in record["links"].values():
        if link.count(_PLACEHOLDER) != 1:
            raise ClientError(f"{link} does not say where the token goes: write {_PLACEHOLDER} there, once")
        if not _is_safe(link.replace(_PLACEHOLDER, "token").replace("#", "", 1)):
            raise ClientError(f"{link} is neither https nor an address of this machine")


def _is_safe(uri: str) -> bool:
    return bool(_SAFE.fullmatch(uri) or _LOOPBACK.fullmatch(uri))


def register_page(factory: Factory, outputs: Mapping[str, str]) -> str:
    """Register the suite's page `auth/` as an application, where it is published; its address. Idempotent."""
    page = f"{outputs['WebUrl']}/auth/"
    register(
        factory, outputs, PAGE_CLIENT, company="suite", title="The demo page", redirect_uris=[page],
        logout_uris=[page], sign_on_scopes=["openid", "profile", "email"],
    )  # fmt: skip
    return page


def is_registered(factory: Factory, outputs: Mapping[str, str], client_id: str) -> bool:
    """Tell whether there is a client of that name."""
    return _stored(factory, outputs, client_id) is not None


def remove(factory: Factory, outputs: Mapping[str, str], client_id: str) -> None:
    """Forget a client and its API key.

    Raises:
        ClientError: There is no such client.
    """
    known = _known(factory, outputs, client_id)
    if known["api_key_id"]:
        factory("apigateway").delete_api_key(apiKey=known["api_key_id"])
    factory("dynamodb").delete_item(TableName=outputs["AuthUsersTableName"], Key=_key(client_id))


def _key(client_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"C#{client_id}"}, "sk": {"S": "."}}


def _stored(factory: Factory, outputs: Mapping[str, str], client_id: str) -> dict[str, Any] | None:
    answer = factory("dynamodb").get_item(
        TableName=outputs["AuthUsersTableName"], Key=_key(client_id), ConsistentRead=True
    )
    record: dict[str, Any] | None = json.loads(answer["Item"]["client"]["S"]) if "Item" in answer else None
    return record


def _known(factory: Factory, outputs: Mapping[str, str], client_id: str) -> dict[str, Any]:
    record = _stored(factory, outputs, client_id)
    if record is None:
        raise ClientError(f"there is no client {client_id!r}; `list` shows the clients")
    return record


def _store(factory: Factory, outputs: Mapping[str, str], client_id: str, record: dict[str, Any]) -> None:
    item = {**_key(client_id), "client": {"S": json.dumps(record, separators=(",", ":"))}}
    factory("dynamodb").put_item(TableName=outputs["AuthUsersTableName"], Item=item)


def _api_key(
    factory: Factory, outputs: Mapping[str, str], client_id: str, known: dict[str, Any] | None
) -> tuple[str, str]:
    gateway = factory("apigateway")
    if known is not None and known["api_key_id"]:
        return known["api_key_id"], gateway.get_api_key(apiKey=known["api_key_id"], includeValue=True)[
            "value"
        ]
    made = gateway.create_api_key(name=f"{outputs['AuthUsagePlanId']}-{client_id}", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=outputs["AuthUsagePlanId"], keyId=made["id"], keyType="API_KEY")
    return made["id"], made["value"]


def _list(factory: Factory, outputs: Mapping[str, str]) -> str:
    lines = []
    pages = (
        factory("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=outputs["AuthUsersTableName"],
            FilterExpression="begins_with(pk, :client)",
            ExpressionAttributeValues={":client": {"S": "C#"}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            record = json.loads(item["client"]["S"])
            kids = ", ".join(key["kid"] for key in record["keys"]) or "no key"
            name, scopes = item["pk"]["S"][2:], " ".join(record["scopes"])
            lines.append(f"{name:<24} {record['company']:<16} {scopes} [{kids}]")
    return "\n".join(lines) or "no clients are registered"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ops.auth_clients", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the deployed stack")
    parser.add_argument("--region", help="AWS_REGION or the profile's by default")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the clients")
    add = commands.add_parser("add", help="register a client, or replace what is registered of it")
    add.add_argument("client")
    add.add_argument("--company", required=True, help="whose people it imports; * for any")
    add.add_argument("--title", required=True, help="what people read")
    add.add_argument(
        "--key", type=Path, action="append", default=[], help="public key, PEM; the file's name is its kid"
    )
    add.add_argument(
        "--scopes", nargs="*", default=[], choices=SCOPES, metavar="SCOPE", help=", ".join(SCOPES)
    )
    add.add_argument(
        "--sign-on-scopes", nargs="*", default=[], choices=SIGN_ON_SCOPES, metavar="SCOPE",
        help=f"what it may ask people for: {', '.join(SIGN_ON_SCOPES)}; openid always",
    )  # fmt: skip
    add.add_argument(
        "--resource", action="append", default=[], help="address of an API that its access tokens are for"
    )
    add.add_argument("--trusted", action="store_true", help="ask people for no consent; it needs a key")
    add.add_argument("--redirect-uri", action="append", default=[])
    add.add_argument("--logout-uri", action="append", default=[])
    add.add_argument("--verify-link", help="page for mails, with {token} in it")
    add.add_argument("--reset-link", help="the same for new passwords")
    add.add_argument(
        "--id-token-alg", choices=ID_TOKEN_ALGORITHMS, default=ID_TOKEN_ALGORITHMS[0],
        help="what its ID tokens are signed with; RS256 by default, which every library takes",
    )  # fmt: skip
    for name, what in (("add-key", "add a public key, for a change of keys"), ("remove-key", "remove one")):
        command = commands.add_parser(name, help=what)
        command.add_argument("client")
        command.add_argument("key", type=Path if name == "add-key" else str)
    checked = commands.add_parser("check", help="say what is wrong with a JWT that a client signed")
    checked.add_argument("jwt", help="an assertion for the token endpoint, or a signed request")
    checked.add_argument("--request", default="", help='what a signed request is for, "POST /v1/login"')
    commands.add_parser("remove", help="forget a client").add_argument("client")
    commands.add_parser("add-page", help="register the suite's page auth/ as an application")
    return parser


def _add(factory: Factory, outputs: Mapping[str, str], asked: argparse.Namespace) -> str:
    links = {"verify": asked.verify_link, "reset": asked.reset_link}
    api_key = register(
        factory, outputs, asked.client, company=asked.company, title=asked.title,
        keys=[public_jwk(path.read_bytes(), path.stem) for path in asked.key], scopes=asked.scopes,
        trusted=asked.trusted, redirect_uris=asked.redirect_uri, logout_uris=asked.logout_uri,
        links={name: link for name, link in links.items() if link}, sign_on_scopes=asked.sign_on_scopes,
        resources=asked.resource, id_token_alg=asked.id_token_alg,
    )  # fmt: skip
    return f"API key: {api_key}" if api_key else "registered for single sign-on; it needs no API key"


def _add_page(factory: Factory, outputs: Mapping[str, str], _asked: argparse.Namespace) -> str:
    return f"{register_page(factory, outputs)} is registered as {PAGE_CLIENT}"


def _add_key(factory: Factory, outputs: Mapping[str, str], asked: argparse.Namespace) -> str:
    record = _known(factory, outputs, asked.client)
    key = public_jwk(asked.key.read_bytes(), asked.key.stem)
    record["keys"] = [each for each in record["keys"] if each["kid"] != key["kid"]] + [key]
    _store(factory, outputs, asked.client, record)
    return f"{asked.client} has the keys {', '.join(each['kid'] for each in record['keys'])}"


def _remove_key(factory: Factory, outputs: Mapping[str, str], asked: argparse.Namespace) -> str:
    record = _known(factory, outputs, asked.client)
    kids = [key["kid"] for key in record["keys"]]
    if asked.key not in kids:
        raise ClientError(f"{asked.client} has no key {asked.key!r}; it has {', '.join(kids) or 'none'}")
    record["keys"] = [key for key in record["keys"] if key["kid"] != asked.key]
    _store(factory, outputs, asked.client, record)
    return f"the key {asked.key} of {asked.client} is removed"


def _check_jwt(factory: Factory, outputs: Mapping[str, str], asked: argparse.Namespace) -> str:
    # The functions' code is on the path where `make clients` runs, and not wherever clients are registered.
    from ops.auth_checks import check

    return check(factory, outputs, asked.jwt, request=asked.request)


def _remove(factory: Factory, outputs: Mapping[str, str], asked: argparse.Namespace) -> str:
    remove(factory, outputs, asked.client)
    return f"{asked.client} is removed"


_COMMANDS = {
    "list": lambda factory, outputs, _asked: _list(factory, outputs),
    "add": _add,
    "add-page": _add_page,
    "add-key": _add_key,
    "check": _check_jwt,
    "remove-key": _remove_key,
    "remove": _remove,
}


@reported
def main() -> int:
    """Dispatch the command line."""
    asked = _parser().parse_args()
    factory = clients(asked.region)
    outputs = outputs_of(asked.stack, factory)
    try:
        print(_COMMANDS[asked.command](factory, outputs, asked))
    except (ClientError, WeakKeyError, OSError) as error:  # a key's file that is not there
        raise CommandError(
            str(error) if asked.command == "check" else f"nothing is changed: {error}"
        ) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
