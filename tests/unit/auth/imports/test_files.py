"""Files of several companies, part by part: every cut, every crash, and what became of each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auth.imports import files
from auth.imports.files import BadFilesError, ImportFile, Place, Stage
from datagen.company_files import CompanyFiles
from local.memory_auth import Fault
from local.memory_imports import COMPANIES, MemoryImports

PLACE = Place("bucket", "execution", "dry_run")

type Line = dict[str, Any]


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> MemoryImports:
    return MemoryImports(monkeypatch.setattr)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made:
        yield made


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["dry_run", "run"]),
        st.integers(0, 150),
        st.sampled_from(["crash", "refused", "answer lost"]),
    ),
    max_size=1,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), people=st.integers(1, 20), part_bytes=st.integers(300, 6000), faults=FAULTS
)
def test_every_line_becomes_what_brute_force_says_whatever_the_parts_and_faults(
    patch: pytest.MonkeyPatch, seed: int, people: int, part_bytes: int, faults: list[tuple[str, int, Any]]
) -> None:
    imports = MemoryImports(patch.setattr)
    made = CompanyFiles(people, COMPANIES, "t", seed)
    found = imports.check(imports.upload(made), part_bytes)
    before = imports.accounts()
    stages: tuple[Stage, ...] = ("dry_run", "run")
    for stage in stages:
        if stage == "run":
            assert imports.accounts() == before, "a dry run makes no account"
        imports.world.fault = next((Fault(after, how) for at, after, how in faults if at == stage), None)
        done = imports.stage(stage, found, part_bytes)
        imports.world.fault = None
        assert [file.start for file in done] == [file.size for file in done]
        assert sum(file.differences for file in done) == 0
    lines = imports.lines("run")
    assert lines == imports.lines("dry_run")
    assert [each["line"] for each in lines] == [number for _, number, _ in made.lines()]
    assert [each["result"] for each in lines] == made.results()
    accounts: dict[str, set[tuple[str, str]]] = {}
    for (company, _, members), outcome in zip(made.lines(), lines, strict=True):
        if members is not None:
            accounts.setdefault(outcome["user_id"], set()).add((company, members["id"]))
    assert {frozenset(origins) for origins in accounts.values()} == made.persons()
    services = imports.world.services
    for user, origins in accounts.items():
        assert set(services.open(services.find(user)).origins()) == origins


def test_a_crash_after_any_call_changes_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of each kind: created, taking an address, merged, in conflict, there already, refused."""
    flags = {"1": False, "2": True, "3": True, "4": False, "5": None}
    lines = [
        {
            "id": person,
            "email": f"{'a' if flag is not None else 'b'}@example.org",
            "email_verified": bool(flag),
        }
        for person, flag in flags.items()
    ]
    body = "".join(json.dumps(line) + "\n" for line in [*lines, lines[0], {"id": "6"}]).encode()
    expected = ["created", "created", "merged", "conflict", "created", "already", "refused"]
    for stage in files.STAGES:
        for after in count():
            imports = MemoryImports(monkeypatch.setattr)
            imports.s3.objects["bulk/toys.jsonl"] = [body]
            found = imports.check([{"key": "bulk/toys.jsonl", "company": "toys"}])
            fault = Fault(after, "crash")
            for each in files.STAGES:
                imports.world.fault = fault if each == stage else None
                [done] = imports.stage(each, found, 1000)
                assert [entry["result"] for entry in imports.lines(each)] == expected, (stage, after)
                assert done.differences == 0
            if not fault.hit:
                break
        assert after > 20, "each call was the last one of a process"


def test_a_second_execution_changes_nothing(imports: MemoryImports) -> None:
    made = CompanyFiles(30, COMPANIES, "t")
    found = imports.check(imports.upload(made))
    for stage in files.STAGES:
        imports.stage(stage, found, 2000)
    users = {key: item for key, item in imports.world.table.tables["users"].items() if key[0][:2] == "U#"}
    for stage in files.STAGES:
        imports.stage(stage, found, 2000, execution="second")
    assert users == {
        key: item for key, item in imports.world.table.tables["users"].items() if key[0][:2] == "U#"
    }
    first, second = imports.lines("run"), imports.lines("run", "second")
    assert imports.lines("dry_run", "second") == second
    for one, other in zip(first, second, strict=True):
        if one["result"] == "refused":
            assert other == one
        else:
            assert other == {"line": one["line"], "result": "already", "user_id": one["user_id"]}


def test_lines_that_become_something_else_than_in_the_dry_run_are_reported(imports: MemoryImports) -> None:
    made = CompanyFiles(10, COMPANIES, "t", unverified=0)
    found = imports.check(imports.upload(made))
    imports.stage("dry_run", found, 1000)
    company, number, members = next(each for each in made.lines() if each[2] is not None)
    assert members is not None
    imports.world.take_line(company, **(members | {"id": "somebody"}))
    done = imports.stage("run", found, 1000)
    assert [file.differences for file in done] == [1, 0, 0]
    report = json.loads(imports.s3.objects["reports/bulk/execution/run.json"][-1])
    [difference] = report["files"][0]["differences"]
    assert (difference["line"], difference["dry_run"]["result"], difference["run"]["result"]) == (
        number, "created", "merged"
    )  # fmt: skip
    told = files.report(PLACE._replace(stage="run"), done)
    assert (told["differences"], told["first"]) == (1, [f"line {number} of bulk/books.jsonl"])


def test_a_file_that_is_uploaded_meanwhile_is_not_looked_at(imports: MemoryImports) -> None:
    made = CompanyFiles(10, COMPANIES, "t")
    found = imports.check(imports.upload(made))
    imports.stage("dry_run", found, 1000)
    imports.s3.objects["bulk/toys.jsonl"].append(b'{"id": "1"')
    imports.stage("run", found, 1000)
    assert imports.lines("run") == imports.lines("dry_run")


def test_files_that_are_too_large_together_are_refused_by_name(imports: MemoryImports) -> None:
    named = imports.upload(CompanyFiles(5, COMPANIES, "t"))
    imports.s3.objects["bulk/tools.jsonl"] = [b"x" * (files.MAX_PARTS + 1)]
    imports.s3.objects["bulk/toys.jsonl"] = imports.s3.objects["bulk/books.jsonl"] = [b"x"]
    with pytest.raises(BadFilesError, match=r"bulk/tools.jsonl is too large: an execution takes 512 bytes"):
        imports.check(named, 1)
    imports.s3.objects["bulk/tools.jsonl"] = [b"x" * (files.MAX_PARTS - 2)]
    assert [file.size for file in imports.check(named, 1)] == [1, 1, files.MAX_PARTS - 2]


def test_a_line_longer_than_a_part_is_refused_by_name(imports: MemoryImports) -> None:
    imports.s3.objects["bulk/toys.jsonl"] = [b"x" * 101 + b"\n"]
    found = imports.check([{"key": "bulk/toys.jsonl", "company": "toys"}])
    with pytest.raises(BadFilesError, match=r"bulk/toys.jsonl has a line of far more than 16384 bytes"):
        imports.stage("dry_run", found, 100)
    assert imports.accounts() == set()


def test_a_line_of_another_company_is_refused(imports: MemoryImports) -> None:
    line = {"company": "books", "id": "1", "email": "a@example.org"}
    imports.s3.objects["bulk/toys.jsonl"] = [json.dumps(line).encode()]
    imports.stage("dry_run", imports.check([{"key": "bulk/toys.jsonl", "company": "toys"}]), 1000)
    assert imports.lines("dry_run") == [{"line": 1, "result": "refused", "code": "other_company"}]


@pytest.mark.parametrize(
    "given",
    [
        None, [], {}, {"files": []}, {"run": True}, {"files": [], "run": True}, {"files": [], "run": "yes"},
        {"files": {}, "run": True}, {"files": ["bulk/toys.jsonl"], "run": True},
        {"files": [{"key": "bulk/toys.jsonl", "company": "toys", "more": 1}], "run": True},
        {"files": [{"key": 1, "company": "toys"}], "run": True},
        {"files": [{"key": "bulk/../toys.jsonl", "company": "toys"}], "run": True},
        {"files": [{"key": "bulk/toys.csv", "company": "toys"}], "run": True},
        {"files": [{"key": "bulk/toys.jsonl", "company": None}], "run": True},
        {"files": [{"key": "bulk/toys.jsonl", "company": "group"}], "run": True},
        {"files": 2 * [{"key": "bulk/toys.jsonl", "company": "toys"}], "run": True},
        {"files": [{"key": f"bulk/{n}.jsonl", "company": "toys"} for n in range(101)], "run": True},
        {"files": [{"key": "bulk/toys.jsonl", "company": "toys"}], "run": True, "more": 1},
    ],
)  # fmt: skip
def test_input_of_another_form_is_refused(imports: MemoryImports, given: Any) -> None:
    imports.s3.objects["bulk/toys.jsonl"] = [b"{}"]
    with pytest.raises(BadFilesError):
        files.check(imports.world.services, "bucket", 100, given)


def test_what_the_importer_knows_of_a_file_goes_through_json(imports: MemoryImports) -> None:
    """A state's output is JSON."""
    [file] = imports.check([imports.upload(CompanyFiles(3, COMPANIES, "t"))[0]])
    assert file == replace(file, lines=dict(file.lines))
    assert ImportFile(**json.loads(json.dumps(file.__dict__))) == file
