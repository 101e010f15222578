"""A dry run reports what the run does, line for line; and no line's password or id is lost.

Real code on a table in memory: the same accounts and the same lines, once dry and once not.
"""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.credentials import legacy
from auth.identity import Document, origin_key
from auth.imports.decisions import Accounts
from auth.imports.importing import DryRun, Importer
from auth.imports.lines import account_id
from auth.services import Records
from auth.storage import Alias, Store, User
from local.memory_kms import Region
from local.memory_table import MemoryTable
from shared.http import GoneError

REGION = Region("eu-west-1")
KEYRING: Any = SimpleNamespace(blind_index_key=lambda: b"k" * 32)
NOW = 1_800_000_000.0

type Line = dict[str, Any]

MD5 = "5f4dcc3b5aa765d61d8327deb882cf99"
ARGON2 = "$argon2i$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$K5uKQF9f9SQ5C2rV9jYcPmuPmNQ0m1v2b6sQ8b7a1xE"
"""Two of them cost more than a log-in may."""
HASHES: list[Line] = [{}, {}, {"password_hash": MD5, "hash_scheme": "md5"}, {"password_hash": ARGON2}]

LINES = st.builds(
    lambda company, person, email, email_verified, phone, phone_verified, hashed, name: {
        "company": company, "id": person, "email": email, "email_verified": email_verified,
        **({"phone": phone, "phone_verified": phone_verified} if phone else {}), **hashed,
        **({"profile": {"given_name": name}} if name else {}),
    },
    st.sampled_from(["shop", "bank"]),
    st.sampled_from("1234"),
    st.sampled_from(["a@example.org", "b@example.org", "c@example.org"]),
    st.sampled_from([True, True, False]),
    st.sampled_from(["", "", "+351911111111", "+351922222222"]),
    st.booleans(),
    st.sampled_from(HASHES),
    st.sampled_from(["", "Ada", "\u0000"]),
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.sampled_from(["erase", "further", "older", "unverify"]), st.integers(0, 3)), max_size=3
)


def records_of(table: MemoryTable) -> Records:
    def now() -> float:
        return NOW

    store = Store(table, "users", now)  # type: ignore[arg-type]
    return Records(store, REGION.envelope, KEYRING, "eu-west-1", now)


def new_table() -> MemoryTable:
    return MemoryTable({"users": ("pk", "sk")})


def taken(importer: Importer, lines: list[Line]) -> list[Line]:
    return [importer.take(json.dumps(line).encode()) for line in lines]


def accounts_of(table: MemoryTable) -> list[str]:
    return [
        pk.removeprefix("U#") for pk, sk in sorted(table.tables["users"]) if pk.startswith("U#") and sk == "."
    ]


def older_form(document: Document) -> Document:
    """Return it as imports wrote it before a company had several ids of a person."""
    [(company, person)] = document.origins()
    key = origin_key(company, person)
    fields = {name: (value, reading) for name, (value, reading) in json.loads(document.to_bytes()).items()}
    fields[f"company.{company}"] = ({"id": person}, fields.pop(f"company_id.{key}")[1])
    if f"old_hash.{key}" in fields:
        fields[f"old_hash.{company}"] = fields.pop(f"old_hash.{key}")
    return Document(fields)


def change(records: Records, user: User, what: str) -> None:
    """Make of an account what imports alone do not make."""
    store, document = records.store, records.open(user)
    writes = []
    after = user
    if what == "erase":
        others = [Alias("email", index) for index, _ in document.family("email_also")]
        aliases = [Alias("email", user.email_index), Alias("phone", user.phone_index), *others]
        writes = [write for alias in aliases for write in store.aliases.releases(alias, user.id)]
        erased = User(user.id, "erased", ts=records.reading(user.ts), version=user.version)
        store.commit(store.users.save(erased.written_in(records.region), user), *writes)
        return
    if what == "further":  # an account that was merged into it had another address
        further = records.alias("email", "b@example.org")
        if store.aliases.owner(further) is None:
            document.edit({f"email_also.{further.index}": "b@example.org"}, records.now_ms, records.region)
            writes.append(store.aliases.claim(further, user.id))
    elif what == "older" and len(document.origins()) == 1 and b'"merged":' not in document.to_bytes():
        document = older_form(document)
    elif what == "unverify":
        document.edit({"email_verified": False}, records.now_ms, records.region)
    _, save = records.close(user, after, document)
    store.commit(save, *writes)


def prepared(lines: list[Line], changes: list[tuple[str, int]]) -> MemoryTable:
    """Return a table with the accounts of an earlier import, changed since."""
    table = new_table()
    records = records_of(table)
    taken(Importer(records, "*"), lines)
    for what, number in changes:
        users = [records.store.users.get(each) for each in accounts_of(table)]
        usable = [user for user in users if user and user.status == "active"]
        if usable:
            change(records, usable[number % len(usable)], what)
    return table


def reported(table: MemoryTable, lines: list[Line], *, dry: bool) -> list[Line]:
    records = records_of(table)
    return taken(DryRun(records, "*", "job") if dry else Importer(records, "*"), lines)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=4), CHANGES, st.lists(LINES, min_size=1, max_size=7))
def test_dry_run_reports_what_the_run_does(
    before: list[Line], changes: list[tuple[str, int]], lines: list[Line]
) -> None:
    table = prepared(before, changes)
    untouched = copy.deepcopy(table.tables["users"])
    dry = reported(table, lines, dry=True)
    assert {
        key: item for key, item in table.tables["users"].items() if not key[0].startswith("D#")
    } == untouched
    table.tables["users"] = untouched
    assert dry == reported(table, lines, dry=False)


@settings(max_examples=30, deadline=None)
@given(st.lists(LINES, max_size=4), CHANGES, st.lists(LINES, min_size=1, max_size=7))
def test_no_id_and_no_password_of_a_line_is_lost(
    before: list[Line], changes: list[tuple[str, int]], lines: list[Line]
) -> None:
    table = prepared(before, changes)
    records = records_of(table)
    for line, outcome in zip(lines, reported(table, lines, dry=False), strict=True):
        if outcome["result"] not in ("created", "merged", "conflict"):
            continue
        document = records.open(records.find(outcome["user_id"]))
        assert (line["company"], line["id"]) in document.origins()
        hashes = dict(document.family("old_hash"))
        if "password_hash" in line:
            assert origin_key(line["company"], line["id"]) in document.old_hashes()
        assert sum(map(legacy.cost, hashes.values())) <= legacy.MAX_COST, "a log-in comes to each of them"


@settings(max_examples=30, deadline=None)
@given(st.lists(LINES, max_size=4), CHANGES, st.lists(LINES, min_size=1, max_size=5))
def test_lines_imported_again_are_already_there_or_erased(
    before: list[Line], changes: list[tuple[str, int]], lines: list[Line]
) -> None:
    table = prepared(before, changes)
    first = reported(table, lines, dry=False)
    items = copy.deepcopy(table.tables["users"])
    for one, again in zip(first, reported(table, lines, dry=False), strict=True):
        if one["result"] in ("created", "merged", "conflict", "already"):
            assert again == {"result": "already", "user_id": one["user_id"]}
        else:
            assert again["result"] == one["result"]
    assert table.tables["users"] == items, "nothing is written"


@settings(max_examples=30, deadline=None)
@given(st.lists(LINES, max_size=4), CHANGES, st.lists(LINES, min_size=1, max_size=7))
def test_each_alias_is_of_an_account_that_has_the_identifier(
    before: list[Line], changes: list[tuple[str, int]], lines: list[Line]
) -> None:
    table = prepared(before, changes)
    reported(table, lines, dry=False)
    records = records_of(table)
    for (pk, _), item in table.tables["users"].items():
        if pk[:2] in ("E#", "P#") and "user" in item:
            user = records.find(item["user"]["S"])
            alias, known = Alias.of_text(pk), Accounts(records).summary(user.id)
            assert user.status == "active", "an account without a log-in has no identifier"
            assert alias.index in (user.email_index, known.phone, *known.verified)


def run(lines: list[Line], table: MemoryTable | None = None) -> tuple[MemoryTable, list[Line]]:
    table = table or new_table()
    return table, reported(table, lines, dry=False)


def line(person: str, email: str = "a@example.org", **more: Any) -> Line:
    return {"company": "shop", "id": person, "email": email, "email_verified": True} | more


B = "b@example.org"
PHONE: Line = {"phone": "+351911111111", "phone_verified": True}
OTHER_PHONE: Line = {"phone": "+351922222222", "phone_verified": True}


@pytest.mark.parametrize(
    "lines",
    [
        [line("1"), line("2"), line("2", B)],
        [line("1"), line("1", B)],
        [line("1", email_verified=False), line("2"), line("1")],
        [line("1"), line("2", **PHONE), line("3", B, **PHONE)],
        [line("1"), line("2", **PHONE), line("3", **OTHER_PHONE), line("4", B, **OTHER_PHONE)],
        [line("1", **PHONE), line("2", B, **PHONE), line("3", **PHONE)],
        [line("1", email_verified=False, **PHONE), line("2"), line("3", B, **PHONE)],
        [line("1", email_verified=False, **PHONE), line("2", **PHONE), line("3", B, **PHONE)],
        [line("1", password_hash=ARGON2), line("2", password_hash=ARGON2), line("3")],
        [line("1"), line("2", password_hash=ARGON2), line("3", password_hash=ARGON2)],
        [line("1"), line("2", email_verified=False, **PHONE), line("2"), line("3", B, **PHONE)],
        [line(str(number)) for number in range(52)],
    ],
    ids=lambda lines: " ".join(each["id"] for each in lines[:4]),
)
def test_dry_run_of_lines_that_meet_each_other(lines: list[Line]) -> None:
    table = new_table()
    dry = reported(table, lines, dry=True)
    assert all(pk.startswith("D#") for pk, _ in table.tables["users"])
    assert dry == reported(new_table(), lines, dry=False)


def test_two_lines_of_one_company_keep_both_passwords_and_ids() -> None:
    hashed = [
        {"password_hash": "e10adc3949ba59abbe56e057f20f883e", "hash_scheme": "md5"},
        {"password_hash": MD5, "hash_scheme": "md5"},
    ]
    table, report = run([line("1", **hashed[0]), line("2", **hashed[1])])
    assert [each["result"] for each in report] == ["created", "merged"]
    records = records_of(table)
    document = records.open(records.find(report[0]["user_id"]))
    assert document.profile()["companies"] == {"shop": {"ids": ["1", "2"]}}
    for password in ("123456", "password"):
        assert any(legacy.matches(wrapped, password) for _, wrapped in document.family("old_hash"))
    assert records.find(account_id(records, "shop", "2")).id == report[0]["user_id"], (
        "the line's own id leads there"
    )


def test_hashes_that_cost_too_much_together_are_refused() -> None:
    _, report = run([line("1", password_hash=ARGON2), line("2", password_hash=ARGON2), line("3")])
    assert [each["result"] for each in report] == ["created", "refused", "merged"]
    assert report[1] == {"result": "refused", "code": "legacy_hashes_too_costly"}


def test_the_fifty_first_id_of_a_person_is_refused() -> None:
    table, report = run([line(str(number)) for number in range(51)])
    assert [each["result"] for each in report] == ["created", *["merged"] * 49, "refused"]
    assert report[-1] == {"result": "refused", "code": "too_many_ids"}
    assert run([line("50")], table)[1] == report[-1:]


def test_an_erased_person_is_reported_as_erased() -> None:
    table, [made, _] = run([line("1"), line("2")])
    records = records_of(table)
    change(records, records.find(made["user_id"]), "erase")
    _, again = run([line("1"), line("2"), line("3")], table)
    assert [each["result"] for each in again] == ["erased", "erased", "created"]


def test_a_phone_number_that_is_somebodys_is_reported() -> None:
    _, report = run([line("1", **PHONE), line("2", "b@example.org", **PHONE), line("3", **PHONE)])
    assert report[1] == {
        "result": "created", "user_id": report[1]["user_id"], "phone_taken": report[0]["user_id"],
    }  # fmt: skip
    assert report[2] == {"result": "merged", "user_id": report[0]["user_id"]}, "that is nobody else"


def test_whoever_loses_an_address_keeps_a_verified_number_and_the_log_in() -> None:
    table, [loser] = run([line("1", email_verified=False, **PHONE)])
    _, [winner, other] = run([line("2"), line("3", "b@example.org", **PHONE)], table)
    assert (winner["with"], other["phone_taken"]) == (loser["user_id"], loser["user_id"])
    records = records_of(table)
    left = records.find(loser["user_id"])
    assert (left.status, left.email_index, records.open(left)["email"]) == ("active", "", None)
    assert records.store.aliases.owner(records.alias("phone", "+351911111111")) == loser["user_id"]


def test_whoever_loses_the_number_too_has_no_log_in() -> None:
    table, [loser] = run([line("1", email_verified=False, **PHONE)])
    _, [winner] = run([line("2", **PHONE)], table)
    records = records_of(table)
    assert records.find(loser["user_id"]).status == "conflict"
    assert records.store.aliases.owner(records.alias("phone", "+351911111111")) == winner["user_id"]


def test_an_erased_account_is_never_opened() -> None:
    table, [made] = run([line("1")])
    records = records_of(table)
    change(records, records.find(made["user_id"]), "erase")
    try:
        Accounts(records).find(made["user_id"])
    except GoneError:
        return
    raise AssertionError("an erased account was found")


def test_hashes_of_older_records_are_kept_beside_new_ones() -> None:
    table, [made] = run([line("1", password_hash=MD5, hash_scheme="md5")])
    records = records_of(table)
    change(records, records.find(made["user_id"]), "older")
    assert records.open(records.find(made["user_id"])).origins() == {("shop", "1")}
    run([line("2", password_hash=MD5, hash_scheme="md5")], table)
    document: Document = records.open(records.find(made["user_id"]))
    assert set(document.old_hashes()) == {origin_key("shop", "1"), origin_key("shop", "2")}
    assert document.origins() == {("shop", "1"), ("shop", "2")}


def test_a_line_that_joined_before_its_id_led_anywhere_is_already_there() -> None:
    table, [made] = run([line("1")])
    records = records_of(table)
    user = records.find(made["user_id"])
    document = records.open(user)
    document.edit({"company.bank": {"id": "2"}}, records.now_ms, records.region)
    records.store.commit(records.close(user, user, document)[1])
    again = line("2", company="bank")
    assert reported(table, [again], dry=True) == [{"result": "already", "user_id": user.id}]
    assert run([again], table)[1] == [{"result": "already", "user_id": user.id}]
