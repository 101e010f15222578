"""The count of effects sees what is missing, what comes again, and what nobody asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pytest

from local.clients.effects import EFFECTS, Effect, counted, expected, unexpected

MADE: Mapping[str, str] = defaultdict(str, {"low": "db-1", "full": "db-2", "ending": "i-1", "told": "i-2"})
ROLE = "suite-local-HubGrowRole-8829"
LOW = (ROLE, "rds:ModifyDBInstance", "arn:aws:rds:us-east-1:000000000000:db:db-1")
[GROWTH] = [effect for effect in expected(MADE) if effect.resource == "db:db-1"]


@pytest.mark.parametrize("times", [0, 1, 2])
def test_calls_are_counted_as_often_as_they_are_made(times: int) -> None:
    assert counted({LOW: times}, MADE)[GROWTH] == times
    assert unexpected({LOW: times}, MADE) == {}


@pytest.mark.parametrize(
    "call",
    [
        (ROLE, "rds:ModifyDBInstance", "arn:aws:rds:us-east-1:000000000000:db:db-3"),
        (ROLE, "rds:DeleteDBInstance", LOW[2]),
        ("suite-local-HubNodesRole-84EF", *LOW[1:]),
        (
            "suite-local-HubReactFunctionRole-0FC7",
            "sqs:SendMessage",
            "arn:x:HubDeadLetterQueue-1",
        ),
    ],
    ids=["another resource", "another action", "another role", "dead letter"],
)
def test_change_that_no_message_asks_for_is_unexpected(call: tuple[str, str, str]) -> None:
    assert unexpected({call: 1}, MADE) == {call: 1}
    assert sum(counted({call: 1}, MADE).values()) == 0


@pytest.mark.parametrize(
    "call",
    [
        (ROLE, "rds:DescribeDBInstances", "*"),
        (
            "suite-local-HubReactFunctionRole-0FC7",
            "dynamodb:UpdateItem",
            "arn:x:table/HubLedgerTable-1",
        ),
        ("suite-local-UploadRole-1", "s3:PutObject", "arn:aws:s3:::uploads/x"),
    ],
    ids=["read", "the hub's own", "another application"],
)
def test_what_changes_nothing_of_others_is_not_counted(call: tuple[str, str, str]) -> None:
    assert unexpected({call: 1}, MADE) == {}


def test_every_effect_is_described_once() -> None:
    described = [(effect.role, effect.action, effect.resource) for effect in EFFECTS]
    assert len(set(described)) == len(described)
    assert all(isinstance(effect, Effect) and effect.messages for effect in EFFECTS)
