"""What AWS Marketplace tells, from its recorded messages, and what is refused of others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_portal.marketplace import (
    AgreementEnd,
    CustomerChange,
    LicenceChange,
    Nothing,
    full_arn,
    licence_of,
    parse,
)
from ops.paths import ROOT
from shared.batches import PermanentError

PRODUCT = "n0123EXAMPLEXXXXXXXXXXXX"
TOPIC = f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{PRODUCT}"
AGREEMENT = "agmt-4mwg1nevbokzw95eca5797ixs"
LICENCE = "l-e52ca6f38bf84d0fafb8802ca15ac11a"
SECOND = 1_795_166_142_000  # 2026-11-20T09:15:42Z, by `date -d ... +%s`


def bodies(name: str) -> list[str]:
    event = json.loads((ROOT / f"events/api_portal/{name}.json").read_text())
    return [record["body"] for record in event["Records"]]


def test_recorded_events_of_agreements() -> None:
    proposer, manufacturer, updated, amended, ended, deprovisioned = map(parse, bodies("changes_agreements"))
    assert proposer == manufacturer == amended == Nothing("use begins with the licence")
    assert updated == LicenceChange(PRODUCT, LICENCE, AGREEMENT, "began", SECOND)
    assert ended == AgreementEnd(PRODUCT, AGREEMENT, SECOND)
    assert deprovisioned == LicenceChange(PRODUCT, LICENCE, AGREEMENT, "ended", SECOND)


def test_recorded_notifications() -> None:
    *changes, entitlement = map(parse, bodies("changes_notifications"))
    expected = ["began", "failed", "ending", "ended"]
    assert changes == [CustomerChange(TOPIC, PRODUCT, "X01EXAMPLEX", kind, SECOND + 317) for kind in expected]  # type: ignore[arg-type]
    assert isinstance(entitlement, Nothing)


def changed(name: str, place: int, *path: str, value: Any) -> str:
    """A recorded body with another value; `Message` is JSON in JSON."""
    body = json.loads(bodies(name)[place])
    inner = "Message" in path
    target = json.loads(body["Message"]) if inner else body
    *way, last = [step for step in path if step != "Message"]
    found = target
    for step in way:
        found = found[step]
    if value is None:
        del found[last]
    else:
        found[last] = value
    return json.dumps(body | {"Message": json.dumps(target)} if inner else target)


def test_blank_before_the_identifier_is_none_of_it() -> None:
    body = changed("changes_notifications", 0, "Message", "customer-identifier", value=" X01EXAMPLEX")
    assert parse(body) == parse(bodies("changes_notifications")[0])


@pytest.mark.parametrize("trial", ["true", "false", True, None])
def test_trial_flag_whatever_its_type_changes_nothing(trial: object) -> None:
    body = changed("changes_notifications", 0, "Message", "isFreeTrialTermPresent", value=trial)
    assert parse(body) == parse(bodies("changes_notifications")[0])


def test_proposer_and_manufacturer_tell_one_fact() -> None:
    other = changed("changes_agreements", 4, "detail-type", value="Purchase Agreement Ended - Manufacturer")
    assert parse(other) == parse(bodies("changes_agreements")[4])


@pytest.mark.parametrize("status", ["RENEWED", "REPLACED"])
def test_agreement_that_another_follows_ends_nothing(status: str) -> None:
    body = changed("changes_agreements", 4, "detail", "agreement", "status", value=status)
    assert parse(body) == Nothing("another agreement follows")


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED", "TERMINATED"])
def test_agreement_that_ends_for_good(status: str) -> None:
    body = changed("changes_agreements", 4, "detail", "agreement", "status", value=status)
    assert isinstance(parse(body), AgreementEnd)


def test_licence_is_one_with_and_without_arn() -> None:
    arn = f"arn:aws:license-manager::294406891311:license:{LICENCE}"
    assert {licence_of(arn), licence_of(arn.removeprefix("arn:")), licence_of(LICENCE)} == {LICENCE}
    assert {full_arn(arn), full_arn(arn.removeprefix("arn:")), full_arn(f" {arn}")} == {arn}
    assert full_arn("") == ""


REFUSED: dict[str, str] = {
    "not JSON": "subscribe-success",
    "no object": "[]",
    "nothing in it": "{}",
    "two of a name": '{"Type": "Notification", "Type": "Notification"}',
    "another source": changed("changes_agreements", 2, "source", value="aws.marketplace"),
    "raw delivery": json.dumps({"action": "unsubscribe-success", "product-code": PRODUCT}),
    "no product": changed("changes_agreements", 2, "detail", "product", value=None),
    "product is a list": changed("changes_agreements", 2, "detail", "product", value=["a"]),
    "no licence": changed("changes_agreements", 2, "detail", "license", value=None),
    "licence is no ARN": changed("changes_agreements", 2, "detail", "license", "arn", value="l-1/../l-2"),
    "no time": changed("changes_agreements", 2, "time", value=None),
    "time without a zone": changed("changes_agreements", 2, "time", value="2026-11-20T09:15:42"),
    "time is a number": changed("changes_agreements", 2, "time", value=1795166142),
    "time before the market": changed("changes_agreements", 2, "time", value="1970-01-01T00:00:00Z"),
    "time of the far future": changed("changes_agreements", 2, "time", value="9999-12-31T23:59:59Z"),
    "no detail": changed("changes_agreements", 2, "detail", value="x"),
    "no Message": json.dumps({"Type": "Notification", "TopicArn": TOPIC}),
    "Message is no JSON": json.dumps({"Type": "Notification", "TopicArn": TOPIC, "Message": "hello"}),
    "another action": changed("changes_notifications", 0, "Message", "action", value="subscribe-maybe"),
    "no action": changed("changes_notifications", 0, "Message", "action", value=None),
    "no customer": changed("changes_notifications", 0, "Message", "customer-identifier", value=None),
    "customer is blank": changed("changes_notifications", 0, "Message", "customer-identifier", value="  "),
    "customer with a line": changed(
        "changes_notifications", 0, "Message", "customer-identifier", value="a\nb"
    ),
    "customer is too long": changed(
        "changes_notifications", 0, "Message", "customer-identifier", value="a" * 256
    ),
    "no topic": changed("changes_notifications", 0, "TopicArn", value=None),
    "no timestamp": changed("changes_notifications", 0, "Timestamp", value=None),
    "deep": "[" * 100_000,
    "half a surrogate pair": '{"Type": "Notification", "Message": "\\ud800"}',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_malformed_message_is_refused_for_good(body: str) -> None:
    with pytest.raises(PermanentError):
        parse(body)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(any_json)
def test_any_json_is_parsed_or_refused(value: object) -> None:
    for body in (json.dumps(value), json.dumps({"Type": "Notification", "Message": json.dumps(value)})):
        with pytest.raises(PermanentError):
            parse(body)
    event = json.loads(bodies("changes_agreements")[2]) | {"detail": value}
    with pytest.raises(PermanentError):
        parse(json.dumps(event))
