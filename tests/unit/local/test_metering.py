"""AWS Marketplace's metering: what is refused, and that usage counts once, beside a count by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.services.metering import Book, MeteringError, Product, Purchase

HOUR = 3_600.0
NOW = 500_000 * HOUR + 1_800  # half past
MODEL = botocore.session.get_session().get_service_model("meteringmarketplace")

type Request = dict[str, Any]


def book() -> Book:
    """Two products of each era, bought yesterday by accounts 1 and 2; licences and customers: a1, s1..."""
    made = Book()
    for code, era in (("a", "agreements"), ("b", "agreements"), ("s", "sns"), ("t", "sns")):
        product = made.products[code] = Product(
            code, ("calls", "bytes"), "sns" if era == "sns" else "agreements"
        )
        for account in "12":
            name = f"{code}{account}"
            made.purchases[name] = Purchase(
                product, account, name if era == "sns" else "", f"agmt-{name}", name, since=NOW - 24 * HOUR
            )
    return made


def licensed(licence: str = "a1", **members: Any) -> Request:
    record = {"LicenseArn": licence, "CustomerAWSAccountId": licence[1], "Dimension": "calls", "Quantity": 5}
    return record | {"Timestamp": NOW} | members


def older(customer: str = "s1", **members: Any) -> Request:
    return {
        "CustomerIdentifier": customer, "Dimension": "calls", "Quantity": 5, "Timestamp": NOW,
    } | members  # fmt: skip


def statuses(answer: Request) -> list[str]:
    return [each["Status"] for each in answer["Results"]]


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(MeteringError) as refused:
        call()
    return refused.value.code


def meter(made: Book, *records: Request, now: float = NOW, **request: Any) -> Request:
    return made.meter({"UsageRecords": list(records)} | request, now)


def test_usage_is_accepted_in_both_forms() -> None:
    made = book()
    assert statuses(meter(made, licensed("a1"), licensed("a2"))) == ["Success", "Success"]
    assert statuses(meter(made, older("s1"), older("s2"), ProductCode="s")) == ["Success", "Success"]
    account = {"CustomerAWSAccountId": "1", "Dimension": "bytes", "Timestamp": NOW}
    assert statuses(meter(made, account, ProductCode="s")) == ["Success"]
    assert [each.quantity for each in made.records.values()] == [5, 5, 5, 5, 0]  # "Defaults to 0"


REFUSED: list[tuple[str, str, Request, str | None]] = [
    ("product code with licence", "ValidationException", licensed("s1"), "s"),
    ("licence without account", "ValidationException", older("a1", LicenseArn="a1"), None),
    ("neither", "ValidationException", older(), None),
    ("customer with licence", "ValidationException", licensed() | {"CustomerIdentifier": "s1"}, None),
    ("customer and account", "ValidationException", older(CustomerAWSAccountId="1"), "s"),
    ("new product by its code", "ValidationException", older(), "a"),
    ("unknown product", "InvalidProductCodeException", older(), "x"),
    ("unknown customer", "InvalidCustomerIdentifierException", older("s9"), "s"),
    ("unknown licence", "InvalidLicenseException", licensed("a9"), None),
    ("licence of another account", "InvalidLicenseException", licensed("a1", CustomerAWSAccountId="2"), None),
    ("unknown dimension", "InvalidUsageDimensionException", licensed(Dimension="pages"), None),
    ("before the purchase", "InvalidLicenseException", licensed(Timestamp=NOW - 25 * HOUR), None),
    ("6 hours old", "TimestampOutOfBoundsException", licensed(Timestamp=NOW - 6 * HOUR), None),
    ("in the future", "TimestampOutOfBoundsException", licensed(Timestamp=NOW + 1), None),
    ("quantity beyond 31 bits", "ValidationException", licensed(Quantity=2**31), None),
    ("quantity below nothing", "ValidationException", licensed(Quantity=-1), None),
]


@pytest.mark.parametrize(("expected", "record", "product"), [each[1:] for each in REFUSED], ids=lambda _: "")
def test_a_wrong_record_refuses_the_whole_batch(expected: str, record: Request, product: str | None) -> None:
    made = book()
    good = older(Dimension="bytes") if "LicenseArn" not in record else licensed(Dimension="bytes")
    request: Request = {} if product is None else {"ProductCode": product}
    assert code(lambda: meter(made, good, record, **request)) == expected
    assert made.records == {}
    known = {error.name for error in MODEL.operation_model("BatchMeterUsage").error_shapes}
    assert expected in known | {"ValidationException"}


def test_the_sizes_of_a_batch_are_those_of_the_model() -> None:
    made = book()
    most = MODEL.shape_for("UsageRecordList").metadata["max"]
    records = [licensed(Timestamp=NOW - number) for number in range(most)]
    assert len(meter(made, *records)["Results"]) == most == 25
    assert code(lambda: meter(made, *records, licensed())) == "ValidationException"
    assert code(lambda: meter(made)) == "ValidationException"
    tags = [{"Key": f"k{number}", "Value": "v" * 256} for number in range(5)]
    full = [
        {"AllocatedUsageQuantity": 0, "Tags": [*tags[:4], {"Key": "n", "Value": str(n)}]} for n in range(900)
    ]
    assert code(lambda: meter(made, licensed(Quantity=0, UsageAllocations=full))) == "ValidationException"


def test_one_call_is_for_one_product() -> None:
    assert code(lambda: meter(book(), licensed("a1"), licensed("b1"))) == "ValidationException"


def test_the_edges_of_time_are_accepted() -> None:
    made = book()
    for used in (NOW, NOW - 6 * HOUR + 1):
        assert statuses(meter(made, licensed(Timestamp=used))) == ["Success"]
    made.purchases["a2"].since = NOW - 600  # bought 10 minutes ago; usage is stamped with the hour
    hour = NOW // HOUR * HOUR
    assert statuses(meter(made, licensed("a2", Timestamp=hour))) == ["Success"]
    assert code(lambda: meter(made, licensed("a2", Timestamp=hour - 1))) == "InvalidLicenseException"
    made.purchases["s2"].since = NOW - 600
    early = older("s2", Timestamp=hour - 1)
    assert code(lambda: meter(made, early, ProductCode="s")) == "TimestampOutOfBoundsException"


def test_usage_is_accepted_for_an_hour_after_the_end() -> None:
    # "You have one hour to meter any remaining usage for the customer."
    made = book()
    made.purchases["a1"].ended = made.purchases["s1"].ended = NOW
    for now, expected in ((NOW + HOUR, "Success"), (NOW + HOUR + 1, "CustomerNotSubscribed")):
        assert statuses(meter(made, licensed(), now=now)) == [expected]
        assert statuses(meter(made, older(), now=now, ProductCode="s")) == [expected]
    made.purchases["a2"].deprovisioned = True
    assert statuses(meter(made, licensed("a2"), licensed("a1"))) == ["CustomerNotSubscribed", "Success"]


def test_a_customer_of_another_product_is_not_subscribed() -> None:
    assert statuses(meter(book(), older("t1"), ProductCode="s")) == ["CustomerNotSubscribed"]


def test_a_customer_who_subscribes_again_is_metered_again() -> None:
    made = book()
    made.purchases["s1"].ended = NOW - 2 * HOUR
    assert statuses(meter(made, older(), ProductCode="s")) == ["CustomerNotSubscribed"]
    again = made.purchases["again"] = Purchase(made.products["s"], "1", "s1", "agmt-2", "again", NOW - HOUR)
    assert statuses(meter(made, older(), ProductCode="s")) == ["Success"]
    assert [each.purchase for each in made.records.values()] == [again]


def test_the_same_usage_again_is_the_same_record() -> None:
    made = book()
    first, again = (meter(made, licensed(Timestamp=NOW - back))["Results"][0] for back in (0, 60))
    assert first["MeteringRecordId"] == again["MeteringRecordId"]
    # "A previously metered UsageRecord had the same customer, dimension, and time, but a different quantity."
    other = meter(made, licensed(Quantity=6))["Results"][0]
    assert other == {"UsageRecord": licensed(Quantity=6), "Status": "DuplicateRecord"}
    different = [licensed(Dimension="bytes"), licensed("a2"), licensed(Timestamp=NOW - HOUR)]
    assert statuses(meter(made, *different)) == ["Success"] * 3
    assert [each.sent for each in made.records.values()] == [2, 1, 1, 1]


def test_both_forms_for_one_customer_are_billed_twice() -> None:
    # "Sending metering records with both ProductCode and LicenseArn for the same customer within the same
    # hour will result in duplicate billing."
    made = book()
    meter(made, older(), ProductCode="s")
    meter(made, licensed("s1"))
    assert [each.quantity for each in made.records.values()] == [5, 5]


def test_unprocessed_records_come_back_to_be_sent_again() -> None:
    made = book()
    made.unprocessed = 1
    records = [licensed("a1"), licensed("a2")]
    answer = meter(made, *records)
    assert answer["UnprocessedRecords"] == records[:1]
    assert statuses(answer) == ["Success"]
    assert statuses(meter(made, *answer["UnprocessedRecords"])) == ["Success"]
    assert [each.sent for each in made.records.values()] == [1, 1]


def bucket(quantity: int, **tags: str) -> Request:
    found = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"AllocatedUsageQuantity": quantity} | ({"Tags": found} if found else {})


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ([bucket(3, team="a"), bucket(2)], ""),
        ([bucket(3, team="a"), bucket(3)], "InvalidUsageAllocationsException"),
        ([bucket(3, team="a"), bucket(2, team="a")], "InvalidUsageAllocationsException"),
        ([bucket(5, a="1", b="1", c="1", d="1", e="1", f="1")], "InvalidTagException"),
        ([bucket(5), *(bucket(0, n=str(number)) for number in range(2_499))], ""),
        ([bucket(5), *(bucket(0, n=str(number)) for number in range(2_500))], "ValidationException"),
    ],
    ids=["split", "sum", "twice", "tags", "most", "too many"],
)
def test_allocations_add_up_to_the_quantity(buckets: list[Request], expected: str) -> None:
    made, record = book(), licensed(UsageAllocations=buckets)
    if expected:
        assert code(lambda: meter(made, record)) == expected
    else:
        assert statuses(meter(made, record)) == ["Success"]
        assert statuses(meter(made, licensed())) == ["DuplicateRecord"]  # without the split it is another


def test_a_registration_token_lasts_four_hours() -> None:
    made = book()
    made.tokens["token"] = (made.purchases["a1"], NOW)
    assert made.resolve("token", NOW + 4 * HOUR - 1) is made.purchases["a1"]
    assert code(lambda: made.resolve("token", NOW + 4 * HOUR)) == "ExpiredTokenException"
    assert code(lambda: made.resolve("other", NOW)) == "InvalidTokenException"


@given(
    sends=st.lists(
        st.tuples(
            st.sampled_from(["a1", "a2"]), st.sampled_from(["calls", "bytes"]),
            st.integers(min_value=0, max_value=5 * 3_600), st.integers(min_value=0, max_value=3),
        ),
        max_size=60,
    ),
    size=st.integers(min_value=1, max_value=25),
    unprocessed=st.integers(min_value=0, max_value=10),
)  # fmt: skip
def test_each_hour_of_usage_counts_once(
    sends: list[tuple[str, str, int, int]], size: int, unprocessed: int
) -> None:
    first: dict[tuple[str, str, float], int] = {}
    made = book()
    made.unprocessed = unprocessed
    records = [
        licensed(licence, Dimension=dimension, Timestamp=NOW - back, Quantity=quantity)
        for licence, dimension, back, quantity in sends
    ]
    for start in range(0, len(records), size):
        meter(made, *records[start : start + size])
    for licence, dimension, back, quantity in sends[unprocessed:]:
        first.setdefault((licence, dimension, (NOW - back) // HOUR), quantity)
    counted = {
        (each.purchase.licence, each.dimension, each.hour // HOUR): each.quantity
        for each in made.records.values()
    }
    assert counted == first
