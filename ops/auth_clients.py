"""Register client companies and applications at the central authentication.

``make clients STACK=suite-prod DO='add shop --company shop --title "The Shop" --key public.pem --scopes
accounts'`` makes the API key, prints it, puts it on the usage plan, and stores what functions need. ``list``,
``add-key``, ``remove-key`` and ``remove`` do what they say; ``add-page`` registers the suite's page `auth/`;
``check`` says what is wrong with a JWT that a client made. Functions notice within half a minute. Without
STACK `local.run` has it work on the local suite that is up.

A stack with a second region (parameter `AuthPeerRegion`) has the same clients in both: the same registration,
keys and API key. Each change is made in the region of the command first, and then in the other one. If that
fails the command says so, and does the rest when it is run again. ``check`` without a JWT tells differences,
``copy`` makes the other region's clients those of this one.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError as AwsError

from ops.public_keys import WeakKeyError, public_jwk
from ops.stacks import CommandError, clients, outputs_of, parameters_of, region_of, reported

__all__ = [
    "ID_TOKEN_ALGORITHMS",
    "PAGE_CLIENT",
    "SCOPES",
    "SIGN_ON_SCOPES",
    "ClientError",
    "HalfDoneError",
    "Place",
    "is_registered",
    "register",
    "register_page",
    "remove",
]

type Factory = Callable[[str], Any]

# As in functions/auth/auth; a unit test holds them equal.
SCOPES = (
    "accounts", "tokens", "users:read", "users:write", "users:erase", "users:export", "users:merge",
    "users:import", "users:recover",
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


_NO_ANSWER = (BotoCoreError, AwsError, CommandError)
"""What a region that is out, or has no stack, answers with."""


class ClientError(ValueError):
    """What is to be registered is not acceptable; says why."""


class HalfDoneError(CommandError):
    """A change was made in one region, and not in the other."""


@dataclass(frozen=True)
class Place:
    """A region's stack, in which clients are registered.

    Attributes:
        region: The region.
        factory: Gives the boto3 client of a service there.
        outputs: The stack's outputs there.
    """

    region: str
    factory: Factory
    outputs: Mapping[str, str]


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
    others: Iterable[Place] = (),
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
        others: Where it is registered too, alike: the stack's other region.

    Returns:
        The API key; empty for a client without scopes, which needs none.

    Raises:
        ClientError: Something is not acceptable.
        HalfDoneError: It is registered here, and not in another region.
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
    places = (Place("", factory, outputs), *others)
    known = _in_first(client_id, places)
    # Who is removed and registered anew is somebody else: consents, codes and sessions of before are void.
    record["registration"] = secrets.token_hex(8) if known is None else known.get("registration", "")
    return _write(places, client_id, record)


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


def register_page(factory: Factory, outputs: Mapping[str, str], *, others: Iterable[Place] = ()) -> str:
    """Register the suite's page `auth/` as an application, where it is published; its address. Idempotent."""
    page = f"{outputs['WebUrl']}/auth/"
    register(
        factory, outputs, PAGE_CLIENT, company="suite", title="The demo page", redirect_uris=[page],
        logout_uris=[page], sign_on_scopes=["openid", "profile", "email"], others=others,
    )  # fmt: skip
    return page


def is_registered(factory: Factory, outputs: Mapping[str, str], client_id: str) -> bool:
    """Tell whether there is a client of that name."""
    return _stored(factory, outputs, client_id) is not None


def remove(
    factory: Factory, outputs: Mapping[str, str], client_id: str, *, others: Iterable[Place] = ()
) -> None:
    """Forget a client and its API key.

    Raises:
        ClientError: There is no such client, in no region.
        HalfDoneError: It is removed here, and not in another region.
    """
    places = (Place("", factory, outputs), *others)
    if not _each(places, lambda place: _remove_there(place, client_id)):
        raise _unknown(client_id)


def _remove_there(place: Place, client_id: str) -> bool:
    """Whether a client was in a region, from which it is removed."""
    known = _stored(place.factory, place.outputs, client_id)
    if known is None:
        return False
    _delete_api_key(place, known["api_key_id"])
    table = place.outputs["AuthUsersTableName"]
    place.factory("dynamodb").delete_item(TableName=table, Key=_key(client_id))
    return True


def _each[T](places: tuple[Place, ...], change: Callable[[Place], T]) -> list[T]:
    """Make a change in each region; what it came to in those where it did something.

    Raises:
        HalfDoneError: It failed in a region after the first.
    """
    first, *others = places
    results = [change(first)]
    for place in others:
        try:
            results.append(change(place))
        except _NO_ANSWER as error:
            raise HalfDoneError(
                f"done here, and not in {place.region} ({error}): run the same command again when that region"
                " answers"
            ) from error
    return [result for result in results if result]


def _write(places: tuple[Place, ...], client_id: str, record: Mapping[str, Any]) -> str:
    """Write what is registered of a client, the same in each region; its API key, empty for none.

    Raises:
        HalfDoneError: It is written in the first region, and not in another.
    """
    values: list[str] = []

    def write(place: Place) -> None:
        known = _stored(place.factory, place.outputs, client_id) or {"api_key_id": ""}
        key_id, value = "", ""
        if record["scopes"]:
            key_id, value = _api_key(place, client_id, known["api_key_id"], values[0] if values else None)
        _store(place.factory, place.outputs, client_id, {**record, "api_key_id": key_id})
        values.append(value)

    _each(places, write)
    return values[0]


def _key(client_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"C#{client_id}"}, "sk": {"S": "."}}


def _stored(factory: Factory, outputs: Mapping[str, str], client_id: str) -> dict[str, Any] | None:
    answer = factory("dynamodb").get_item(
        TableName=outputs["AuthUsersTableName"], Key=_key(client_id), ConsistentRead=True
    )
    record: dict[str, Any] | None = json.loads(answer["Item"]["client"]["S"]) if "Item" in answer else None
    return record


def _in_first(client_id: str, places: tuple[Place, ...]) -> dict[str, Any] | None:
    """What is registered of a client in the first region, which is what counts.

    Raises:
        ClientError: It is registered in another region alone. Nobody can tell whether it was removed here or
            not registered yet; what people granted it must not become somebody else's.
    """
    first, *others = places
    known = _stored(first.factory, first.outputs, client_id)
    if known is not None:
        return known
    for place in others:
        try:
            elsewhere = _stored(place.factory, place.outputs, client_id)
        except _NO_ANSWER:  # to write will fail, too, and be told
            continue
        if elsewhere is not None:
            raise ClientError(
                f"{client_id} is registered in {place.region} alone: `remove` it, or `copy` it from there"
            )
    return None


def _known(client_id: str, places: tuple[Place, ...]) -> dict[str, Any]:
    record = _in_first(client_id, places)
    if record is None:
        raise _unknown(client_id)
    return record


def _unknown(client_id: str) -> ClientError:
    return ClientError(f"there is no client {client_id!r}; `list` shows the clients")


def _store(factory: Factory, outputs: Mapping[str, str], client_id: str, record: Mapping[str, Any]) -> None:
    item = {**_key(client_id), "client": {"S": json.dumps(record, separators=(",", ":"))}}
    factory("dynamodb").put_item(TableName=outputs["AuthUsersTableName"], Item=item)


def _api_key(place: Place, client_id: str, key_id: str, wanted: str | None) -> tuple[str, str]:
    """Id and value of a client's API key in a region.

    Args:
        place: The region.
        client_id: Whose.
        key_id: The one that it has; empty for none.
        wanted: The value that it has to have; None for whatever it has, or a new one. API Gateway takes a
            value: "Specifies a value of the API key"
            (https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html).
    """
    gateway, plan = place.factory("apigateway"), place.outputs["AuthUsagePlanId"]
    if key_id:
        value = gateway.get_api_key(apiKey=key_id, includeValue=True)["value"]
        if wanted in (None, value):
            return key_id, value
        _delete_api_key(place, key_id)
    name = f"{plan}-{client_id}"
    # One of that value may be there, from a run that ended before it was written down.
    found = gateway.get_api_keys(nameQuery=name, includeValues=True)["items"] if wanted else []
    made = next((each for each in found if each["value"] == wanted), None)
    if made is None:
        given = {"value": wanted} if wanted else {}
        made = gateway.create_api_key(name=name, enabled=True, **given)
    with suppress(gateway.exceptions.ConflictException):  # it is on the plan
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=made["id"], keyType="API_KEY")
    return made["id"], made["value"]


def _delete_api_key(place: Place, key_id: str) -> None:
    if key_id:
        gateway = place.factory("apigateway")
        with suppress(gateway.exceptions.NotFoundException):
            gateway.delete_api_key(apiKey=key_id)


def _records(place: Place) -> dict[str, dict[str, Any]]:
    """What is registered in a region, by client."""
    pages = (
        place.factory("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=place.outputs["AuthUsersTableName"],
            FilterExpression="begins_with(pk, :client)",
            ExpressionAttributeValues={":client": {"S": "C#"}},
        )
    )
    items = [item for page in pages for item in page["Items"]]
    return {item["pk"]["S"][2:]: json.loads(item["client"]["S"]) for item in items}


def _list(places: tuple[Place, ...], _asked: argparse.Namespace) -> str:
    lines = []
    for name, record in _records(places[0]).items():
        kids = ", ".join(key["kid"] for key in record["keys"]) or "no key"
        lines.append(f"{name:<24} {record['company']:<16} {' '.join(record['scopes'])} [{kids}]")
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
    checked = commands.add_parser(
        "check",
        help="say what is wrong with a JWT that a client signed, or how the clients of two regions differ",
    )
    checked.add_argument(
        "jwt", nargs="?", default="", help="an assertion for the token endpoint, or a signed request"
    )
    checked.add_argument("--request", default="", help='what a signed request is for, "POST /v1/login"')
    commands.add_parser("copy", help="make the other region's clients those of this one")
    commands.add_parser("remove", help="forget a client").add_argument("client")
    commands.add_parser("add-page", help="register the suite's page auth/ as an application")
    return parser


def _add(places: tuple[Place, ...], asked: argparse.Namespace) -> str:
    links = {"verify": asked.verify_link, "reset": asked.reset_link}
    first, *others = places
    api_key = register(
        first.factory, first.outputs, asked.client, company=asked.company, title=asked.title,
        keys=[public_jwk(path.read_bytes(), path.stem) for path in asked.key], scopes=asked.scopes,
        trusted=asked.trusted, redirect_uris=asked.redirect_uri, logout_uris=asked.logout_uri,
        links={name: link for name, link in links.items() if link}, sign_on_scopes=asked.sign_on_scopes,
        resources=asked.resource, id_token_alg=asked.id_token_alg, others=others,
    )  # fmt: skip
    return f"API key: {api_key}" if api_key else "registered for single sign-on; it needs no API key"


def _add_page(places: tuple[Place, ...], _asked: argparse.Namespace) -> str:
    first, *others = places
    return f"{register_page(first.factory, first.outputs, others=others)} is registered as {PAGE_CLIENT}"


def _add_key(places: tuple[Place, ...], asked: argparse.Namespace) -> str:
    record = _known(asked.client, places)
    key = public_jwk(asked.key.read_bytes(), asked.key.stem)
    record["keys"] = [each for each in record["keys"] if each["kid"] != key["kid"]] + [key]
    _write(places, asked.client, record)
    return f"{asked.client} has the keys {', '.join(each['kid'] for each in record['keys'])}"


def _remove_key(places: tuple[Place, ...], asked: argparse.Namespace) -> str:
    record = _known(asked.client, places)
    kids = [key["kid"] for key in record["keys"]]
    if asked.key not in kids and not any(_has_key(place, asked.client, asked.key) for place in places[1:]):
        raise ClientError(f"{asked.client} has no key {asked.key!r}; it has {', '.join(kids) or 'none'}")
    record["keys"] = [key for key in record["keys"] if key["kid"] != asked.key]
    _write(places, asked.client, record)
    return f"the key {asked.key} of {asked.client} is removed"


def _has_key(place: Place, client_id: str, kid: str) -> bool:
    record = _stored(place.factory, place.outputs, client_id)
    return record is not None and any(key["kid"] == kid for key in record["keys"])


def _check(places: tuple[Place, ...], asked: argparse.Namespace) -> str:
    if not asked.jwt:
        return _check_regions(places)
    # The functions' code is on the path where `make clients` runs, and not wherever clients are registered.
    from ops.auth_checks import check

    return check(places[0].factory, places[0].outputs, asked.jwt, request=asked.request)


def _check_regions(places: tuple[Place, ...]) -> str:
    """Say whether both regions have the same clients.

    Raises:
        CommandError: They differ, a line for each client; or there is one region alone.
    """
    if len(places) == 1:
        raise CommandError("check what? Give a JWT; this stack has one region, and nothing to compare")
    here, there = places
    mine, theirs = _records(here), _records(there)
    lines = [
        f"{client_id}: {difference}"
        for client_id in sorted({*mine, *theirs})
        if (difference := _difference(places, mine.get(client_id), theirs.get(client_id)))
    ]
    if lines:
        raise CommandError(f"{'; '.join(lines)} (`copy` has {there.region} follow {here.region})")
    return f"{len(mine)} clients are the same in {here.region} and {there.region}"


def _difference(
    places: tuple[Place, ...],
    mine: dict[str, Any] | None,
    theirs: dict[str, Any] | None,
) -> str:
    """What differs of a client, which is registered in one of two regions at least; empty for nothing."""
    here, there = places
    if mine is None or theirs is None:
        return f"registered in {(there if mine is None else here).region} alone"
    differing = [
        name
        for name in sorted({*mine, *theirs} - {"api_key_id"})
        if json.dumps(mine.get(name), sort_keys=True) != json.dumps(theirs.get(name), sort_keys=True)
    ]
    if _api_key_value(here, mine) != _api_key_value(there, theirs):
        differing.append("API key")
    return f"not the same {', '.join(differing)}" if differing else ""


def _api_key_value(place: Place, record: Mapping[str, Any]) -> str:
    """The API key of a client in a region; empty for none."""
    gateway = place.factory("apigateway")
    if not record["api_key_id"]:
        return ""
    try:
        return str(gateway.get_api_key(apiKey=record["api_key_id"], includeValue=True)["value"])
    except gateway.exceptions.NotFoundException:
        return ""


def _copy(places: tuple[Place, ...], _asked: argparse.Namespace) -> str:
    if len(places) == 1:
        raise CommandError("this stack has one region: there is nowhere to copy to")
    here, there = places
    mine = _records(here)
    for client_id, record in mine.items():
        _write(places, client_id, record)
    if alone := sorted({*_records(there)} - {*mine}):
        raise CommandError(
            f"{len(mine)} clients are copied to {there.region}; registered there alone: {', '.join(alone)}"
        )
    return f"{len(mine)} clients are copied to {there.region}"


def _remove(places: tuple[Place, ...], asked: argparse.Namespace) -> str:
    first, *others = places
    remove(first.factory, first.outputs, asked.client, others=others)
    return f"{asked.client} is removed"


_COMMANDS = {
    "list": _list,
    "add": _add,
    "add-page": _add_page,
    "add-key": _add_key,
    "check": _check,
    "copy": _copy,
    "remove-key": _remove_key,
    "remove": _remove,
}
_READ_ALONE = ("list", "check")


def _places(stack: str, region: str) -> tuple[Place, ...]:
    """The regions of a stack, that of the command first.

    Raises:
        CommandError: There is no such stack in the first region.
    """
    factory = clients(region)
    first = Place(region, factory, outputs_of(stack, factory))
    peer = parameters_of(stack, factory).get("AuthPeerRegion", "")
    return (first, Place(peer, clients(peer), _Later(stack, peer))) if peer else (first,)


class _Later(Mapping[str, str]):
    """The outputs of a stack in a region that may be out: they are read when one is needed."""

    def __init__(self, stack: str, region: str) -> None:
        self._stack, self._region = stack, region
        self._read: Mapping[str, str] | None = None

    def _outputs(self) -> Mapping[str, str]:
        if self._read is None:
            try:
                self._read = outputs_of(self._stack, clients(self._region))
            except CommandError as error:
                raise CommandError(f"in {self._region}: {error}") from error
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._outputs()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs())

    def __len__(self) -> int:
        return len(self._outputs())


@reported
def main() -> int:
    """Dispatch the command line."""
    asked = _parser().parse_args()
    places = _places(asked.stack, region_of(asked.region))
    try:
        print(_COMMANDS[asked.command](places, asked))
    except (ClientError, WeakKeyError, OSError) as error:  # a key's file that is not there
        raise CommandError(
            str(error) if asked.command in _READ_ALONE else f"nothing is changed: {error}"
        ) from error
    if len(places) > 1 and asked.command not in _READ_ALONE:
        print(f"in {' and '.join(place.region for place in places)} alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
