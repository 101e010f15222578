"""The authentication in two regions: what stacks tell each other, and what the replication's roles reach."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from auth.tokens import PURPOSES, SIGNING
from ops.template import Resource, Stack, deployed
from tests.template.rules._iam import Statement, as_list, statements
from tests.template.switches import SETS

SENDING = [f"Auth{name}FunctionRole" for name in ("Replicate", "DrainWrites", "DrainKeys")]
SECRET = "kms:EncryptionContext:secret"


@cache
def regions() -> Stack:
    """A stack that has another region as its peer."""
    return deployed(SETS["Auth, two regions"])


def resource(name: str) -> Resource:
    return regions().resources[name]


def variables(function: str) -> dict[str, Any]:
    found: dict[str, Any] = resource(function).properties["Environment"]["Variables"]
    return found


def of_role(role: str, service: str) -> list[Statement]:
    """The statements of a role about a service, but for streams."""
    found = [each for each in statements(regions(), "identity") if each.policy.owner.name == role]
    return [
        each
        for each in found
        if any(action.startswith(f"{service}:") for action in each.actions)
        and not any("/stream/" in arn or arn == "*" for arn in each.resources)
    ]


def secrets(statement: Statement) -> set[str]:
    """The secrets that a statement lets unwrap, or wrap."""
    named = [set(as_list(values)) for _, key, values in statement.conditions if key == SECRET]
    return named[0] if named else set(PURPOSES)


def test_stacks_compare_their_blind_index_keys_and_whom_they_name() -> None:
    told = json.loads(resource("AuthRegionParameter").properties["Value"])
    assert told["peer"] == regions().parameters["AuthPeerRegion"]
    for function in ("AuthReplicateFunction", "AuthDrainWritesFunction", "AuthDrainKeysFunction"):
        assert variables(function)["BLIND_INDEX"] == told["blind_index"]
        assert variables(function)["PEER_REGION"] == told["peer"]
        assert variables(function)["REGION_PARAMETER"] == resource("AuthRegionParameter").properties["Name"]


def test_one_region_alone_names_no_peer() -> None:
    alone = deployed(SETS["Auth alone"])
    assert json.loads(alone.resources["AuthRegionParameter"].properties["Value"])["peer"] == ""


@pytest.mark.parametrize("role", SENDING)
def test_who_sends_accounts_unwraps_no_signing_key(role: str) -> None:
    found = of_role(role, "kms")
    assert len(found) == 2
    for statement in found:
        assert not secrets(statement) & set(SIGNING), statement.where
    elsewhere = [each for each in found if "us-west-2" in each.resources[0]]
    assert [secrets(each) for each in elsewhere] == [{"probe"}], "that region's own secrets are its own"


def test_who_makes_keys_unwraps_the_other_regions_blind_index_key_alone() -> None:
    unwraps = [each for each in of_role("AuthKeysFunctionRole", "kms") if "kms:Decrypt" in each.actions]
    assert [secrets(each) for each in unwraps] == [{"blind-index"}]
    assert [operator for operator, key, _ in unwraps[0].conditions if key == SECRET] == ["StringEquals"]
    wraps = [each for each in of_role("AuthKeysFunctionRole", "kms") if "kms:Encrypt" in each.actions]
    assert [secrets(each) for each in wraps] == [set(PURPOSES)]


@pytest.mark.parametrize("role", SENDING)
def test_who_sends_accounts_reads_two_secrets_alone(role: str) -> None:
    """That of the blind indexes, and the one by which a key is probed."""
    names = {arn.rpartition("/")[2] for each in of_role(role, "ssm") for arn in each.resources}
    assert names == {"blind-index", "refresh", "region"}


@pytest.mark.parametrize("role", SENDING)
def test_who_sends_accounts_reaches_accounts_and_identifiers(role: str) -> None:
    """And spent codes of second factors; no client, no token of a mail. To the trail it adds."""
    reached: dict[str, set[str]] = {}
    for statement in of_role(role, "dynamodb"):
        [(operator, _, values)] = [each for each in statement.conditions if each[1] == "dynamodb:LeadingKeys"]
        assert operator == "ForAllValues:StringLike", statement.where
        for value in values:
            reached.setdefault(value, set()).update(statement.actions)
    assert reached.keys() == {"U#*", "E#*", "P#*", "F#*", "A#*"}
    assert reached["A#*"] == {"dynamodb:PutItem"}
