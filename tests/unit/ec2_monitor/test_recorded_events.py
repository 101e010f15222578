"""The recorded events: complete, in CloudTrail's form, and nobody's."""

from __future__ import annotations

import json
import re

import pytest

from datagen.ec2_calls import CALLS, FOLDER, encoded, recorded, written

EVERY = {
    f"{folder}/{name}": event
    for folder in ("calls", "alerts", "quiet")
    for name, event in recorded(folder).items()
}


def test_each_call_is_recorded() -> None:
    assert len(CALLS) == 19 + 7
    assert {name: event["detail"]["eventName"] for name, event in recorded("calls").items()} == dict(
        zip(CALLS, CALLS, strict=True)
    )


@pytest.mark.parametrize("name", EVERY)
def test_an_event_has_the_form_and_the_size_of_cloudtrails(name: str) -> None:
    event = EVERY[name]
    assert event.keys() == {
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    }
    assert event["detail"].keys() >= {
        "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion",
        "sourceIPAddress", "userAgent", "requestParameters", "responseElements", "eventID", "readOnly",
        "eventType", "recipientAccountId", "eventCategory",
    }  # fmt: skip
    assert 1_200 < len(encoded(event)) < 4_000


def test_identities_differ() -> None:
    assert len({event["detail"]["eventID"] for event in EVERY.values()}) == len(EVERY)


def test_addresses_and_accounts_are_those_of_documentation() -> None:
    text = json.dumps(list(EVERY.values()))
    addresses = set(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)) - {"0.0.0.0", "142.0.0.0"}  # noqa: S104 - the world, and a browser
    assert all(address.startswith(("203.0.113.", "198.51.100.", "10.")) for address in addresses), addresses
    assert set(re.findall(r"(?<![\w-])\d{12}(?![\w-])", text)) == {"123456789012"}


@pytest.mark.parametrize("name", written())
def test_invocations_of_shape_are_made_of_the_recorded_events(name: str) -> None:
    assert (FOLDER / name).read_text() == written()[name], "run python -m datagen.ec2_calls"


def test_there_is_no_other_invocation() -> None:
    assert {path.name for path in FOLDER.glob("shape_*.json")} == set(written())
