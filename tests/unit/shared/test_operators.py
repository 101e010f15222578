"""Who is an operator, by the claims that API Gateway passes on."""

from typing import Any

import pytest

from shared.operators import groups_of, is_operator


def event(groups: Any) -> dict[str, Any]:
    return {"requestContext": {"authorizer": {"claims": {"sub": "1", "cognito:groups": groups}}}}


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("operators", {"operators"}),
        ("readers,operators", {"readers", "operators"}),  # REST APIs
        ("[readers operators]", {"readers", "operators"}),  # HTTP APIs
        ("", set()),
        (None, set()),
    ],
)
def test_groups_are_read_in_both_forms(claim: Any, groups: set[str]) -> None:
    assert groups_of(event(claim)) == groups


@pytest.mark.parametrize("claim", ["Operators", "operators2", "nooperators", "co-operators", "operators;x"])
def test_similar_names_are_no_operators(claim: str) -> None:
    assert not is_operator(event(claim))


@pytest.mark.parametrize(
    "without",
    [
        {},
        {"requestContext": None},
        {"requestContext": {"authorizer": None}},
        {"requestContext": {"authorizer": {"claims": None}}},
        {"requestContext": {"authorizer": {"claims": {"email": "operators"}}}},
        {"headers": {"cognito:groups": "operators"}},
    ],
)
def test_without_verified_claims_nobody_is_an_operator(without: dict[str, Any]) -> None:
    assert not is_operator(without)
