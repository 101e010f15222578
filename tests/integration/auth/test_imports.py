"""Imports: an upload of JSON lines of several companies becomes accounts, once."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import pytest

from local.clients.company import Company
from local.suite import Suite
from ops.paths import ROOT
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined, mailed
from tests.support.waiting import wait_until

HASHES = json.loads((ROOT / "tests/unit/auth/legacy_hashes.json").read_text())
PASSWORD = "Příliš žluťoučký kůň 5€"

type Line = dict[str, Any]


def run(company: Company, lines: list[Line] | bytes, **options: Any) -> tuple[Line, list[Line]]:
    """Upload lines, wait for the job, and return its state and what became of each line."""
    begun = company.post("/v1/users/import", **options)
    assert begun.status_code == 202, begun.text
    body = lines if isinstance(lines, bytes) else "".join(json.dumps(line) + "\n" for line in lines).encode()
    upload = company.suite.http.put(begun.json()["upload"]["url"], data=body)
    assert upload.status_code == 200, upload.text
    return finished(company, begun.json()["job_id"])


def finished(company: Company, job: str) -> tuple[Line, list[Line]]:
    def state() -> Line | None:
        found: Line = company.get(f"/v1/users/import/{job}").json()
        return found if found["state"] in ("done", "failed") else None

    done = wait_until(state, seconds=90, every=0.3, what="import")
    assert done is not None
    reports = [company.suite.http.get(url).text for url in done["reports"]]
    return done, [json.loads(line) for report in reports for line in report.splitlines()]


def line(**more: Any) -> Line:
    return {"id": secrets.token_hex(8), "email": fresh_email("legacy"), "email_verified": True} | more


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def one_of_each_scheme() -> list[Line]:
    """Return a vector of each format, those with the password that all of them share."""
    found = {each["scheme"]: each for each in HASHES if each["password"] == PASSWORD}
    return list(found.values())


@pytest.mark.timeout(300)
def test_people_with_passwords_of_every_legacy_format_log_in_and_get_an_argon2id_hash(shop: Company) -> None:
    vectors = one_of_each_scheme()
    assert len(vectors) >= 12
    lines = []
    for vector in vectors:
        hints = {"hash_scheme": vector["hint"]} if "hint" in vector else {}
        hints |= {"salt": vector["salt"]} if "salt" in vector else {}
        lines.append(line(password_hash=vector["text"], **hints))
    state, report = run(shop, lines)
    assert state["lines"]["created"] == len(vectors), [r for r in report if r["result"] != "created"]

    def upgraded(place: int) -> None:
        person = Person(shop, lines[place]["email"], PASSWORD, report[place]["user_id"])
        exported = shop.get(f"/v1/users/{person.id}/export").json()
        assert exported["legacy_passwords_of"] == ["shop"]
        assert shop.post("/v1/login", email=person.email, password="not that one").status_code == 401
        assert person.log_in().json().get("user_id") == person.id, vectors[place]["scheme"]
        exported = shop.get(f"/v1/users/{person.id}/export").json()
        assert exported["legacy_passwords_of"] == [], "replaced at the first good log-in"
        assert person.log_in().status_code == 200, "by our own hash now"

    with ThreadPoolExecutor(8) as pool:  # refused log-ins wait
        list(pool.map(upgraded, range(len(vectors))))


def test_a_file_of_several_companies_merges_what_is_verified_on_both(group: Company) -> None:
    email, one, other = fresh_email("both"), fresh_password(), fresh_password()
    lines = [
        line(company="shop", email=email, password_hash=hashed(one), profile={"given_name": "Ada"}),
        line(company="bank", email=email, password_hash=hashed(other), profile={"country": "PT"}),
        line(company="post", email=email, email_verified=False, password_hash=hashed("a third one")),
    ]
    state, report = run(group, lines)
    assert [outcome["result"] for outcome in report] == ["created", "merged", "conflict"]
    person = report[0]["user_id"]
    assert report[1]["user_id"] == person
    assert report[2]["with"] == person
    assert state["lines"] == dict.fromkeys(("already", "erased", "refused"), 0) | dict.fromkeys(
        ("created", "merged", "conflict"), 1
    )
    profile = group.get(f"/v1/users/{person}").json()["profile"]
    assert (profile["given_name"], profile["country"]) == ("Ada", "PT")
    assert set(profile["companies"]) == {"shop", "bank"}
    assert Person(group, email, other).log_in().status_code == 200, "by the password of either company"
    assert group.post("/v1/login", email=email, password="a third one").status_code == 401
    same = group.get(f"/v1/users/{person}/export").json()["same_identifier"]
    assert same == [report[2]["user_id"]]


def test_a_verified_line_beats_an_unverified_account(shop: Company, group: Company) -> None:
    squatter = Person(shop, fresh_email("squatted"), fresh_password())
    assert shop.post("/v1/signup", email=squatter.email, password=squatter.password).status_code == 202
    password = fresh_password()
    _, [outcome] = run(group, [line(company="bank", email=squatter.email, password_hash=hashed(password))])
    assert outcome["result"] == "created"
    assert outcome["with"]
    assert Person(shop, squatter.email, password).log_in().json()["user_id"] == outcome["user_id"]
    assert squatter.log_in().status_code == 401


def test_whoever_loses_an_address_to_a_verified_line_has_no_way_in_by_it(shop: Company) -> None:
    phone, password = f"+3519{secrets.randbelow(10**8):08}", fresh_password()
    stranger = line(email_verified=False, phone=phone, phone_verified=True, password_hash=hashed(password))
    _, [loser] = run(shop, [stranger])
    tokens = shop.post("/v1/login", phone=phone, password=password).json()
    assert shop.post("/v1/introspect", token=tokens["access_token"]).json()["active"] is True
    shop.post("/v1/password/forgot", email=stranger["email"])
    late = mailed(shop.suite, stranger["email"], "reset")
    _, [winner] = run(shop, [line(email=stranger["email"])])
    assert winner["with"] == loser["user_id"]
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert shop.post("/v1/introspect", token=token).json() == {"active": False}
    assert shop.post("/v1/login", email=stranger["email"], password=password).status_code == 401
    assert shop.post("/v1/password/reset", token=late, password=fresh_password()).status_code == 400
    by_phone = shop.post("/v1/login", phone=phone, password=password)
    assert by_phone.json()["user_id"] == loser["user_id"], "the number is verified as theirs"
    _, [other] = run(shop, [line(phone=phone, phone_verified=True)])
    assert other["phone_taken"] == loser["user_id"]


def test_a_dry_run_reports_duplicates_of_the_table_and_of_the_file_and_changes_nothing(
    group: Company, person: Person, suite: Suite
) -> None:
    email = fresh_email("twice")
    lines = [
        line(company="bank", email=person.email),
        line(company="bank", email=person.email, email_verified=False),
        line(company="shop", email=email),
        line(company="bank", email=email),
        line(company="post", email="not an address"),
    ]
    before = sizes(suite)
    state, report = run(group, lines, dry_run=True)
    assert [outcome["result"] for outcome in report] == ["merged", "conflict", "created", "merged", "refused"]
    assert state["dry_run"] is True
    assert sizes(suite) == before, "no account was made"
    assert run(group, lines)[1] == report


def sizes(suite: Suite) -> int:
    """Return the number of accounts."""
    pages = suite.client("dynamodb").get_paginator("scan").paginate(
        TableName=suite["AuthUsersTableName"], FilterExpression="begins_with(pk, :user) AND sk = :dot",
        ExpressionAttributeValues={":user": {"S": "U#"}, ":dot": {"S": "."}}, Select="COUNT",
    )  # fmt: skip
    return sum(page["Count"] for page in pages)


def test_the_same_file_again_changes_nothing(shop: Company, suite: Suite) -> None:
    lines = [line(password_hash=hashed("x" * 20)) for _ in range(12)]
    _, first = run(shop, lines)
    before = sizes(suite)
    state, second = run(shop, lines)
    assert state["lines"]["already"] == 12
    assert [outcome["user_id"] for outcome in second] == [outcome["user_id"] for outcome in first]
    assert sizes(suite) == before


@pytest.mark.timeout(300)
def test_a_file_of_many_parts_is_imported_whole_and_its_upload_deleted(shop: Company, suite: Suite) -> None:
    """1,100 lines are three parts; half of them are blank or broken, which stops nobody else's."""
    lines = [b"" if number % 2 else b"{broken" for number in range(1100)]
    lines[::11] = [json.dumps(line()).encode() for _ in range(100)]
    state, report = run(shop, b"\r\n".join(lines))
    assert state["parts"] == {"total": 3, "done": 3}
    assert state["lines"]["created"] == 100
    assert [outcome["line"] for outcome in report if outcome["result"] == "created"] == list(
        range(1, 1101, 11)
    )
    assert state["lines"]["refused"] == sum(each == b"{broken" for each in lines)
    bucket = f"suite-local-auth-imports-{'0' * 12}-us-east-1"
    listed = suite.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"uploads/{state['job_id']}")
    assert listed["KeyCount"] == 0


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"{", "bad_json"),
        (b"[]", "bad_json"),
        (b'{"id":"1","id":"2"}', "bad_json"),
        (b'{"id":"1","email":"a@example.org","admin":true}', "unknown_field"),
        (b'{"email":"a@example.org"}', "bad_field"),
        (b'{"id":1,"email":"a@example.org"}', "bad_field"),
        (b'{"id":"1"}', "email_malformed"),
        (b'{"id":"1","email":"a@example.org","email_verified":"yes"}', "bad_field"),
        (b'{"id":"1","email":"a@example.org","profile":[]}', "bad_field"),
        (b'{"id":"1","email":"a@example.org","profile":{"secret":"x"}}', "unknown_field"),
        (b'{"id":"1","email":"a@example.org","phone":"1"}', "phone_malformed"),
        (b'{"id":"1","email":"a@example.org","password_hash":"plain text"}', "legacy_hash_unknown"),
        (
            b'{"id":"1","email":"a@example.org","password_hash":"'
            b'$2y$16$nk7q.HuSG9vTSovkwyp7Fu8/DAtmBd3vUNEwGOJPJ5zvFiU6ore9e"}',
            "legacy_hash_too_costly",
        ),
        (b'{"id":"1","email":"a@example.org","company":"bank"}', "other_company"),
        (b'{"id":"1","email":"' + b"a" * 17_000 + b'"}', "line_too_long"),
    ],
)
def test_a_line_that_cannot_be_is_refused_and_named(shop: Company, bad: bytes, code: str) -> None:
    good = json.dumps(line()).encode()
    _, report = run(shop, b"\n".join([good, bad, json.dumps(line()).encode()]))
    assert [outcome["result"] for outcome in report] == ["created", "refused", "created"]
    assert report[1] == {"line": 2, "result": "refused", "code": code}


def test_an_import_is_its_clients_alone(shop: Company, suite: Suite) -> None:
    job = shop.post("/v1/users/import").json()["job_id"]
    other = Company(suite, "curious")
    answer = other.get(f"/v1/users/import/{job}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")
    assert shop.get(f"/v1/users/import/{job}").json()["state"] == "waiting"


def test_two_accounts_that_share_a_verified_phone_are_merged_on_request(
    shop: Company, group: Company
) -> None:
    phone = f"+351 9{secrets.randbelow(10**8):08}"
    lines = [
        line(phone=phone, phone_verified=True),
        line(phone=phone, phone_verified=True, profile={"country": "AO"}),
    ]
    _, [one, two] = run(shop, lines)
    passwords = {one["user_id"]: fresh_password(), two["user_id"]: fresh_password()}
    unrelated = joined(Person(shop, fresh_email(), fresh_password()))
    refused = group.post(f"/v1/users/{one['user_id']}/merge", other=unrelated.id)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_the_same")
    merged = group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"])
    assert merged.status_code == 200, merged.text
    assert merged.json()["profile"]["country"] == "AO"
    again = group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"])
    assert (again.status_code, again.json()["user_id"]) == (200, one["user_id"]), "a retry finds what is done"
    led = group.get(f"/v1/users/{two['user_id']}").json()
    assert led["user_id"] == one["user_id"], "the id of the one that ended leads to the other"
    assert passwords.keys() == {one["user_id"], two["user_id"]}
    for address in (lines[0]["email"], lines[1]["email"]):
        assert shop.post("/v1/password/forgot", email=address).status_code == 202
    trail = group.get(f"/v1/users/{one['user_id']}/export").json()
    assert [entry["action"] for entry in trail["trail"]].count("forgot") == 2, (
        "either address is the person's"
    )
    assert trail["further_addresses"] == [lines[1]["email"]]


def test_an_account_with_a_verified_phone_logs_in_by_it(shop: Company) -> None:
    phone = f"+351 9{secrets.randbelow(10**8):08}"
    password = fresh_password()
    _, [outcome] = run(shop, [line(phone=phone, phone_verified=True, password_hash=hashed(password))])
    answer = shop.post("/v1/login", phone=phone.replace(" ", ""), password=password)
    assert answer.json().get("user_id") == outcome["user_id"], answer.text


def test_a_foreign_message_goes_to_the_dead_letter_queue_at_once(suite: Suite) -> None:
    sqs = suite.client("sqs")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if "AuthImportQueue" in url)
    bodies = [f"not json {secrets.token_hex(4)}", json.dumps({"job": secrets.token_hex(4), "odd": 1})]
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    dead = suite["AuthImportDeadLetterQueueUrl"]
    found: dict[str, Any] = {}

    def all_found() -> bool:
        answer = sqs.receive_message(
            QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        found.update({each["Body"]: each for each in answer.get("Messages", [])})
        return set(bodies) <= set(found)

    wait_until(all_found, seconds=60, what="dead letters")
    for body in bodies:
        reason = found[body]["MessageAttributes"]["reason"]["StringValue"]
        assert reason == "neither a notification of S3 nor a part nor an export"
        sqs.delete_message(QueueUrl=dead, ReceiptHandle=found[body]["ReceiptHandle"])


def test_two_lines_of_one_company_keep_both_passwords_and_ids(shop: Company) -> None:
    email, passwords = fresh_email("twice"), [fresh_password(), fresh_password()]
    lines = [line(email=email, password_hash=hashed(password)) for password in passwords]
    _, report = run(shop, lines)
    assert [outcome["result"] for outcome in report] == ["created", "merged"]
    exported = shop.get(f"/v1/users/{report[0]['user_id']}/export").json()
    assert exported["legacy_passwords_of"] == ["shop"]
    assert exported["profile"]["companies"] == {"shop": {"ids": sorted(each["id"] for each in lines)}}
    assert shop.get(f"/v1/users/{report[1]['user_id']}").json()["user_id"] == report[0]["user_id"]
    assert [outcome["result"] for outcome in run(shop, lines)[1]] == ["already", "already"]
    for password in (*passwords, *passwords):
        assert shop.post("/v1/login", email=email, password=password).status_code == 200
    assert shop.post("/v1/password/forgot", email=email).status_code == 202
    new = {"token": mailed(shop.suite, email, "reset"), "password": fresh_password()}
    assert shop.post("/v1/password/reset", **new).status_code == 204
    for password in passwords:
        assert shop.post("/v1/login", email=email, password=password).status_code == 401


def test_hashes_that_a_log_in_could_not_check_are_refused(shop: Company) -> None:
    dear = "$2b$12$nk7q.HuSG9vTSovkwyp7Fu8/DAtmBd3vUNEwGOJPJ5zvFiU6ore9e"
    lines = [
        line(email=(email := fresh_email("dear")), password_hash=dear),
        line(email=email, password_hash=dear),
    ]
    _, report = run(shop, lines)
    assert report[1] == {"line": 2, "result": "refused", "code": "legacy_hashes_too_costly"}


def test_a_merge_that_would_lose_a_password_is_refused(shop: Company, group: Company) -> None:
    dear = "$2b$12$nk7q.HuSG9vTSovkwyp7Fu8/DAtmBd3vUNEwGOJPJ5zvFiU6ore9e"
    phone = {"phone": f"+351 9{secrets.randbelow(10**8):08}", "phone_verified": True}
    _, [one, two] = run(shop, [line(password_hash=dear, **phone) for _ in range(2)])
    answer = group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "legacy_hashes_too_costly")
    assert group.get(f"/v1/users/{two['user_id']}").json()["user_id"] == two["user_id"]


@pytest.mark.parametrize("first_verified", [True, False])
def test_a_dry_run_reports_what_the_run_reports(shop: Company, first_verified: bool) -> None:
    email, phone = fresh_email("dry"), f"+351 9{secrets.randbelow(10**8):08}"
    lines = [
        line(email=email, email_verified=first_verified, phone=phone, phone_verified=True),
        line(email=email, password_hash=hashed("x" * 20)),
        line(email=email),
        line(phone=phone, phone_verified=True),
        line(email=email, email_verified=False),
    ]
    lines += [lines[1], lines[0] | {"email": fresh_email("other")}, line(email="no address")]
    _, dry = run(shop, lines, dry_run=True)
    assert dry == run(shop, lines)[1]
    assert [outcome["result"] for outcome in dry] == [
        "created", "merged" if first_verified else "created", "merged", "created", "conflict", "already",
        "already", "refused",
    ]  # fmt: skip


def test_an_erased_person_and_a_taken_phone_number_are_reported(shop: Company) -> None:
    phone = f"+351 9{secrets.randbelow(10**8):08}"
    gone, has = line(), line(phone=phone, phone_verified=True)
    _, [erased, owner] = run(shop, [gone, has])
    assert shop.ask("DELETE", f"/v1/users/{erased['user_id']}").status_code == 204
    state, report = run(shop, [gone, line(phone=phone, phone_verified=True)])
    assert report[0] == {"line": 1, "result": "erased"}
    assert report[1]["phone_taken"] == owner["user_id"]
    assert state["lines"]["erased"] == 1


def test_a_second_upload_to_the_same_address_is_imported_too(shop: Company, suite: Suite) -> None:
    """At once, while the first one's parts may be read, and after the job was done."""
    begun = shop.post("/v1/users/import").json()
    uploads = [[line() for _ in range(many)] for many in (600, 3, 2)]
    for lines in uploads[:2]:
        body = "".join(json.dumps(each) + "\n" for each in lines)
        assert suite.http.put(begun["upload"]["url"], data=body).status_code == 200

    def reported(many: int) -> tuple[Line, list[Line]] | None:
        state, report = finished(shop, begun["job_id"])
        return (state, report) if len(report) == many else None

    wait_until(lambda: reported(603), seconds=60, what="both uploads")
    third = "".join(json.dumps(each) + "\n" for each in uploads[2])
    assert suite.http.put(begun["upload"]["url"], data=third).status_code == 200
    found = wait_until(lambda: reported(605), seconds=60, what="the third upload")
    assert found is not None
    state, report = found
    assert state["parts"] == {"total": 4, "done": 4}
    assert state["lines"]["created"] == 605
    entries = [(each.get("upload", 1), each["line"]) for each in report]
    assert sorted(entries)[:1] == [(1, 1)]
    by_upload = [[number for upload, number in entries if upload == which] for which in (1, 2, 3)]
    assert sorted(len(numbers) for numbers in by_upload) == [2, 3, 600], "none was mixed with another"
    for numbers in by_upload:
        assert numbers == list(range(1, len(numbers) + 1))
    bucket = f"suite-local-auth-imports-{'0' * 12}-us-east-1"
    listed = suite.client("s3").list_object_versions(Bucket=bucket, Prefix=f"uploads/{begun['job_id']}")
    assert "Versions" not in listed, "what was uploaded is deleted"


def test_line_feeds_alone_part_lines_of_utf_8(shop: Company) -> None:
    good = json.dumps(line()).encode()
    parted = json.dumps(line()).encode().replace(b", ", b",\r")
    body = b"\n".join(
        [good + b"\r", parted, b"\r", b"\xef\xbb\xbf" + good, '{"id": "1"}'.encode("utf-16-le")]
    )
    _, report = run(shop, body)
    assert [(each["line"], each["result"], each.get("code")) for each in report] == [
        (1, "created", None), (2, "created", None), (4, "refused", "bad_json"), (5, "refused", "bad_json"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"birthdate": "hello"}, "birthdate_malformed"),
        ({"zoneinfo": "Mars/X"}, "zoneinfo_unknown"),
        ({"locale": "en_US"}, "locale_malformed"),
        ({"country": "pt"}, "country_malformed"),
    ],
)
def test_a_field_without_its_form_is_refused_by_imports_and_edits(
    shop: Company, person: Person, profile: dict[str, str], code: str
) -> None:
    _, [outcome] = run(shop, [line(profile=profile)])
    assert outcome == {"line": 1, "result": "refused", "code": code}
    edited = shop.ask("PATCH", f"/v1/users/{person.id}", profile)
    assert (edited.status_code, edited.json()["code"]) == (400, code)


def test_a_name_with_joiners_is_taken(shop: Company) -> None:
    name = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"
    _, [outcome] = run(shop, [line(profile={"given_name": name})])
    assert shop.get(f"/v1/users/{outcome['user_id']}").json()["profile"]["given_name"] == name
