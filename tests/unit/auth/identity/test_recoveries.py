"""Delayed resets, and the mailboxes that are told of them."""

from __future__ import annotations

import pytest

from auth.identity import RECOVERY_GOOD_S, Document, Recovery, known_addresses, recovery_of, replaced_address

NOW, DAY, REGION = 1_800_000_000.0, 86_400, "eu-west-1"
ASKED = Recovery("pending", True, "", int(NOW), "e1")


@pytest.mark.parametrize(
    ("state", "epoch", "now", "is_pending"),
    [
        ("pending", "e1", NOW - DAY, True),
        ("pending", "e1", NOW + RECOVERY_GOOD_S, True),
        ("pending", "e1", NOW + RECOVERY_GOOD_S + 1, False),
        ("pending", "e2", NOW, False),
        ("cancelled", "e1", NOW, False),
        ("done", "e1", NOW, False),
    ],
)
def test_a_reset_waits_until_it_is_stopped_done_stale_or_void(
    state: str, epoch: str, now: float, is_pending: bool
) -> None:
    assert ASKED._replace(state=state).is_pending(epoch, now) is is_pending  # type: ignore[arg-type]


def test_a_reset_is_read_back_as_it_was_written() -> None:
    document = Document()
    assert recovery_of(document) is None
    document.edit({"recovery": ASKED._asdict()}, 1, REGION)
    assert recovery_of(Document.from_bytes(document.to_bytes())) == ASKED


def test_every_mailbox_of_thirty_days_is_known() -> None:
    document = Document()
    document.edit({"email": "a@example.org", "email_also.ib": "b@example.org"}, 1, REGION)
    main = "ia"
    for number, at in enumerate((NOW, NOW + 10 * DAY, NOW + 20 * DAY)):
        changes = replaced_address(document, main, at)
        main = f"i{number}"
        document.edit(changes | {"email": f"{number}@example.org"}, 2 + number, REGION)
    known = {"i2": "2@example.org", "i1": "1@example.org", "i0": "0@example.org", "ib": "b@example.org"}
    assert known_addresses(document, main, NOW + 20 * DAY) == known | {"ia": "a@example.org"}
    assert known_addresses(document, main, NOW + 31 * DAY) == known
    document.edit(replaced_address(document, main, NOW + 41 * DAY), 9, REGION)
    kept = {key.partition(".")[0] for key, _ in document.family("email_previous")}
    assert kept == {"i1", "i2"}, "older ones are forgotten"


def test_an_address_that_comes_back_is_the_main_one() -> None:
    document = Document()
    document.edit({"email": "a@example.org"}, 1, REGION)
    document.edit(replaced_address(document, "ia", NOW) | {"email": "b@example.org"}, 2, REGION)
    document.edit(replaced_address(document, "ib", NOW) | {"email": "a@example.org"}, 3, REGION)
    assert known_addresses(document, "ia", NOW) == {"ia": "a@example.org", "ib": "b@example.org"}
