"""Who may read what operators' APIs answer: members of the group `operators` of the operators' user pool.

API Gateway's Cognito authorizer for REST APIs checks signature, issuer and expiry of the ID token, and no
groups: "the authorizer ... validates the token's claims", and passes them on
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html). So each
function that answers operators asks `is_operator` first.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["GROUP", "groups_of", "is_operator"]

GROUP = "operators"


def groups_of(event: Mapping[str, Any]) -> frozenset[str]:
    """The groups in the claims that the authorizer verified; none without them.

    Args:
        event: Of API Gateway REST, proxy integration, behind a Cognito authorizer. The claim
            `cognito:groups` arrives as one text, `a,b` of REST APIs and `[a b]` of HTTP APIs. No name of a
            group has white space in it; only an administrator can make one with a comma.
    """
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    text = str((authorizer.get("claims") or {}).get("cognito:groups") or "")
    return frozenset(text.strip("[]").replace(",", " ").split())


def is_operator(event: Mapping[str, Any]) -> bool:
    """Whether the caller is a member of the operators' group."""
    return GROUP in groups_of(event)
