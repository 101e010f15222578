"""Imports of files of several companies: a dry run of all, then the same, once; counted by brute force."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psutil
import pytest

from datagen.company_files import CompanyFiles
from local.clients.company import Company
from local.clients.import_files import ImportFiles
from local.suite import Suite
from tests.conftest import Faults
from tests.integration.auth.conftest import Person, fresh_email
from tests.integration.auth.test_imports import hashed, line, sizes
from tests.support.permissions import forget_decisions, function, refused, unused
from tests.support.waiting import wait_until

COMPANIES = ("books", "toys", "tools")

type Line = dict[str, Any]


@pytest.fixture(scope="session")
def imports(suite: Suite) -> ImportFiles:
    """The state machine, and the companies that it knows."""
    for company in COMPANIES:
        Company(suite, company)
    return ImportFiles(suite)


def uploaded(imports: ImportFiles, bodies: dict[str, bytes]) -> dict[str, str]:
    """Upload a file of each company; the companies by the keys."""
    tag = secrets.token_hex(6)
    for company, body in bodies.items():
        imports.upload(f"bulk/{tag}-{company}.jsonl", body)
    return {f"bulk/{tag}-{company}.jsonl": company for company in bodies}


def made_up(people: int, **more: Any) -> CompanyFiles:
    return CompanyFiles(people, COMPANIES, secrets.token_hex(6), **more)


def bodies_of(made: CompanyFiles) -> dict[str, bytes]:
    return {company: made.body(company) for company in COMPANIES}


def imported(imports: ImportFiles, files: Any, *, run: bool = True) -> tuple[str, Line]:
    """Run an execution to its end; its name, and how it ended."""
    name = secrets.token_hex(8)
    return name, imports.ended(imports.start(files, run=run, name=name))


def encoded(lines: list[Line]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in lines).encode()


@pytest.mark.timeout(300)
def test_duplicates_of_three_companies_are_merged_and_nobody_else(
    imports: ImportFiles, group: Company, suite: Suite
) -> None:
    made = made_up(220, passwords=12)
    files, before = uploaded(imports, bodies_of(made)), sizes(suite)
    forget_decisions(suite)
    name, ended = imported(imports, files)
    assert ended["status"] == "SUCCEEDED", ended
    dry, run = imports.report(name, "dry_run"), imports.report(name, "run")
    lines = imports.lines(run)
    assert imports.lines(dry) == lines, "the dry run is the run, line for line"
    assert [each["result"] for each in lines] == made.results()
    assert run["lines"] == dict.fromkeys(run["lines"], 0) | made.counts()
    assert ended["output"]["imported"]["lines"] == ended["output"]["dry_run"]["lines"] == run["lines"]

    accounts: dict[str, set[tuple[str, str]]] = {}
    for (company, number, members), outcome in zip(made.lines(), lines, strict=True):
        assert outcome["line"] == number
        if members is not None:
            accounts.setdefault(outcome["user_id"], set()).add((company, members["id"]))
    assert {frozenset(origins) for origins in accounts.values()} == made.persons()
    # The id of a line that was merged leads to the account: it is a record, too.
    assert sizes(suite) - before == sum(map(len, made.persons()))

    def companies(user: str) -> set[tuple[str, str]]:
        profile = group.get(f"/v1/users/{user}").json()["profile"]
        return {(name, each) for name, known in profile["companies"].items() for each in known["ids"]}

    joined = [user for user, origins in accounts.items() if len(origins) > 1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(companies, joined)) == [accounts[user] for user in joined]

    with_password = next(
        (each, outcome)
        for (_, _, each), outcome in zip(made.lines(), lines, strict=True)
        if each and "password_hash" in each and outcome["result"] == "merged"
    )
    person = Person(group, with_password[0]["email"], made.password_of(with_password[0]))
    assert person.log_in().json()["user_id"] == with_password[1]["user_id"]
    assert refused(suite, "AuthImportFilesFunction") == []

    # A second time: nothing changes.
    records = sizes(suite)
    name, ended = imported(imports, files)
    assert ended["status"] == "SUCCEEDED", ended
    again = imports.report(name, "run")["lines"]
    assert again == dict.fromkeys(again, 0) | {
        "already": len(lines) - run["lines"]["refused"], "refused": run["lines"]["refused"]
    }  # fmt: skip
    assert sizes(suite) == records


def test_the_same_address_is_merged_where_both_lines_have_it_verified(imports: ImportFiles) -> None:
    one, two, three = (fresh_email(name) for name in ("both", "first", "second"))
    bodies = {
        "books": [line(email=one), line(email=two), line(email=three, email_verified=False)],
        "toys": [line(email=one), line(email=two, email_verified=False), line(email=three)],
        "tools": [line(email=one.upper()), line(email=two), line(email=three, email_verified=False)],
    }
    files = uploaded(imports, {company: encoded(lines) for company, lines in bodies.items()})
    name, ended = imported(imports, files)
    assert ended["status"] == "SUCCEEDED", ended
    report = imports.report(name, "run")
    books, toys, tools = (imports.lines({"files": [file]}) for file in report["files"])
    assert [each["result"] for each in books + toys + tools] == [
        "created", "created", "created", "merged", "conflict", "created", "merged", "merged", "conflict"
    ]  # fmt: skip
    assert toys[0]["user_id"] == tools[0]["user_id"] == books[0]["user_id"]
    assert toys[1] == {
        "line": 2,
        "result": "conflict",
        "user_id": toys[1]["user_id"],
        "with": books[1]["user_id"],
    }
    assert toys[2]["with"] == books[2]["user_id"] != toys[2]["user_id"], "the address goes, nothing is merged"
    assert [file["merged"] for file in report["files"]] == [
        [], [{"line": 1, "user_id": books[0]["user_id"]}],
        [{"line": 1, "user_id": books[0]["user_id"]}, {"line": 2, "user_id": books[1]["user_id"]}],
    ]  # fmt: skip


def test_without_run_there_is_a_report_and_no_account(imports: ImportFiles, suite: Suite) -> None:
    made, before = made_up(12), sizes(suite)
    name, ended = imported(imports, uploaded(imports, bodies_of(made)), run=False)
    assert (ended["status"], list(ended["output"])) == ("SUCCEEDED", ["dry_run"])
    assert [each["result"] for each in imports.lines(imports.report(name, "dry_run"))] == made.results()
    assert sizes(suite) == before
    assert not [key for key in imports.reports(name) if "/run" in key]


def noted(suite: Suite, name: str, stage: str) -> int:
    """Return how many lines of the first part of the second file are noted as taken."""
    answer = suite.client("dynamodb").query(
        TableName=suite["AuthUsersTableName"], KeyConditionExpression="pk = :pk", Select="COUNT",
        ExpressionAttributeValues={":pk": {"S": f"I#{name}#{stage}#001-000000"}},
    )  # fmt: skip
    return int(answer["Count"])


def kill(suite: Suite, part: str) -> None:
    """Kill the processes of a function, as a machine that fails does."""
    name = function(suite, part)
    killed = 0
    for child in psutil.Process(suite.engine.pid).children():
        with suppress(psutil.Error):
            if child.environ().get("AWS_LAMBDA_FUNCTION_NAME") == name:
                child.kill()
                killed += 1
    assert killed


@pytest.mark.parametrize("stage", ["dry_run", "run"])
def test_a_part_whose_function_is_killed_goes_on_where_it_stopped(
    imports: ImportFiles, suite: Suite, stage: str
) -> None:
    made = made_up(60)
    files, name = uploaded(imports, bodies_of(made)), secrets.token_hex(8)
    execution = imports.start(files, run=True, name=name)
    wait_until(lambda: noted(suite, name, stage) > 5, seconds=60, every=0.02, what="a part half done")
    kill(suite, "AuthImportFilesFunction")
    ended = imports.ended(execution)
    assert ended["status"] == "SUCCEEDED", ended
    lines = imports.lines(imports.report(name, "run"))
    assert [each["result"] for each in lines] == made.results(), "none is already, though it was done before"


def test_a_report_that_cannot_be_written_is_written_later(imports: ImportFiles, faults: Faults) -> None:
    """The lines are taken by then; another attempt of the part reports what the first one did."""
    made = made_up(20)
    files = uploaded(imports, bodies_of(made))
    refusal: dict[str, object] = {"status": 503, "type": "SlowDown", "times": 5}  # more than boto3 tries
    faults.inject({"match": "s3.PutObject", "resource": "reports/bulk", **refusal})
    name, ended = imported(imports, files)
    assert faults.hits() == [5]
    assert ended["status"] == "SUCCEEDED", ended
    assert [each["result"] for each in imports.lines(imports.report(name, "run"))] == made.results()


GOOD = encoded([line()])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([{"key": "bulk/{tag}-none.jsonl", "company": "toys"}], "bulk/{tag}-none.jsonl is missing."),
        ([{"key": "bulk/{tag}-empty.jsonl", "company": "toys"}], "bulk/{tag}-empty.jsonl is empty."),
        (
            [{"key": "bulk/{tag}-good.jsonl", "company": "nobody"}],
            "bulk/{tag}-good.jsonl is of 'nobody', and no client of that name and company is registered.",
        ),
        (
            [{"key": "bulk/{tag}-good.jsonl", "company": "group"}],  # its company is *
            "bulk/{tag}-good.jsonl is of 'group', and no client of that name and company is registered.",
        ),
        (
            [{"key": "bulk/{tag}-good.jsonl", "company": name} for name in ("toys", "books")],
            "bulk/{tag}-good.jsonl is named twice.",
        ),
        (
            [{"key": "uploads/{tag}.jsonl", "company": "toys"}],
            "'uploads/{tag}.jsonl' is no key of the form bulk/<name>.jsonl.",
        ),
        ([{"key": "bulk/{tag}-good.jsonl"}], "File 2 is not named by key and company alone."),
        ([], "files is not a list of 1 to 100 files."),
        ("bulk/", "files is not a list of 1 to 100 files."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_imported_is_named_before_anything_is_written(
    imports: ImportFiles, group: Company, files: Any, why: str
) -> None:
    assert group
    tag = secrets.token_hex(6)
    for name, body in (("good", GOOD), ("empty", b""), ("first", GOOD)):
        imports.upload(f"bulk/{tag}-{name}.jsonl", body)
    if files and isinstance(files, list):
        first = {"key": f"bulk/{tag}-first.jsonl", "company": "books"}
        files = [first, *(each | {"key": each["key"].replace("{tag}", tag)} for each in files)]
    name, ended = imported(imports, files)
    assert (ended["status"], ended["error"]) == ("FAILED", "BadFiles")
    assert ended["cause"] == why.replace("{tag}", tag)
    assert imports.reports(name) == []


def test_accounts_that_change_after_the_dry_run_are_named(
    imports: ImportFiles, faults: Faults, suite: Suite
) -> None:
    """Somebody comes by the same verified address while the files are being imported."""
    lines = [line() for _ in range(40)]
    files = uploaded(imports, {"books": GOOD, "toys": encoded(lines)})
    name = secrets.token_hex(8)
    faults.inject({"match": "kms.GenerateDataKey", "delay": 0.1})  # the run alone calls it
    execution = imports.start(files, run=True, name=name)
    wait_until(lambda: noted(suite, name, "run"), seconds=60, what="the run")
    other = uploaded(imports, {"tools": encoded([line(email=lines[-1]["email"])])})
    assert imported(imports, other)[1]["status"] == "SUCCEEDED"
    ended = imports.ended(execution)
    key = list(files)[1]
    assert (ended["status"], ended["error"]) == ("FAILED", "Different")
    assert ended["cause"] == (
        "1 lines became something else than in the dry run, since accounts changed meanwhile: "
        f"line 40 of {key}; see reports/bulk/{name}/run.json"
    )
    [difference] = imports.report(name, "run")["files"][1]["differences"]
    assert (difference["line"], difference["dry_run"]["result"], difference["run"]["result"]) == (
        40, "created", "merged"
    )  # fmt: skip


def test_the_function_may_do_what_it_does_and_nothing_else(
    imports: ImportFiles, group: Company, suite: Suite
) -> None:
    """Sufficiency and necessity, from a cold start on: somebody who is logged in loses the address, too."""
    unverified = line(email_verified=False, password_hash=hashed("x" * 20))
    assert imported(imports, uploaded(imports, {"toys": encoded([unverified])}))[1]["status"] == "SUCCEEDED"
    Person(group, unverified["email"], "x" * 20).tokens()
    name = function(suite, "AuthImportFilesFunction")
    configuration = suite.client("lambda").get_function_configuration(FunctionName=name)
    suite.client("lambda").update_function_configuration(
        FunctionName=name, Environment=configuration["Environment"], Timeout=configuration["Timeout"]
    )
    forget_decisions(suite)
    files = uploaded(imports, {"books": encoded([line(email=unverified["email"]), line()])})
    assert imported(imports, files)[1]["status"] == "SUCCEEDED"
    assert imported(imports, {"bulk/none.jsonl": "books"})[1]["error"] == "BadFiles"
    assert refused(suite, "AuthImportFilesFunction") == []
    assert unused(suite, "AuthImportFilesFunction") == set()
