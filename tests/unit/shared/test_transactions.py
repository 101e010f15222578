"""Transactions: conditions that do not hold are told at once, others that are met are waited for."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from shared.transactions import ConflictingWriteError, write_together

# The codes are those of
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
EXCEPTIONS = boto3.client("dynamodb", region_name="us-east-1").exceptions
ITEMS: Any = [{"Put": {}}, {"Update": {}}]


def cancelled(*codes: str) -> ClientError:
    told: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return EXCEPTIONS.TransactionCanceledException(told, "TransactWriteItems")


def other(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "TransactWriteItems")


class Table:
    """Refuses as it is told to, one call after another."""

    def __init__(self, *refusals: ClientError) -> None:
        self.refusals = list(refusals)
        self.exceptions = EXCEPTIONS
        self.calls = 0
        self.slept: list[float] = []

    def transact_write_items(self, *, TransactItems: Any) -> None:  # noqa: N803
        assert TransactItems is ITEMS
        self.calls += 1
        if self.refusals:
            raise self.refusals.pop(0)

    def write(self) -> None:
        write_together(self, ITEMS, self.slept.append)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "refusal", [cancelled("TransactionConflict", "None"), other("TransactionInProgressException")]
)
def test_transaction_that_met_another_one_is_tried_again(refusal: ClientError) -> None:
    table = Table(refusal, refusal, refusal)
    table.write()
    assert (table.calls, table.slept) == (4, [0.05, 0.1, 0.15000000000000002])


@pytest.mark.parametrize(
    "refusal", [cancelled("TransactionConflict", "None"), other("TransactionInProgressException")]
)
def test_transaction_that_meets_others_at_every_try_is_refused(refusal: ClientError) -> None:
    table = Table(*[refusal] * 4)
    with pytest.raises(ClientError) as raised:
        table.write()
    assert raised.value is refusal
    assert table.calls == 4


@pytest.mark.parametrize(
    ("codes", "places"),
    [
        (("ConditionalCheckFailed", "None"), {0}),
        (("None", "ConditionalCheckFailed"), {1}),
        (("ConditionalCheckFailed", "ConditionalCheckFailed"), {0, 1}),
        (("TransactionConflict", "ConditionalCheckFailed"), {1}),
    ],
)
def test_condition_that_does_not_hold_is_told_with_its_place(
    codes: tuple[str, ...], places: set[int]
) -> None:
    table = Table(cancelled(*codes))
    with pytest.raises(ConflictingWriteError) as raised:
        table.write()
    assert (set(raised.value.places), table.calls) == (places, 1)


@pytest.mark.parametrize("refusal", [cancelled("ThrottlingError", "None"), other("AccessDeniedException")])
def test_any_other_refusal_is_not_tried_again(refusal: ClientError) -> None:
    table = Table(refusal)
    with pytest.raises(ClientError):
        table.write()
    assert (table.calls, table.slept) == (1, [])
