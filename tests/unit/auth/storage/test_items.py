"""Items as they lie in the tables of existing stacks: what is written, and that it is read back."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import Any, ClassVar

import pytest

from auth.storage import (
    AccountSummary,
    Alias,
    Attempts,
    AuditEntry,
    AuthorizationCode,
    BrowserSession,
    DryRunOwner,
    ExportJob,
    Grant,
    ImportJob,
    ImportPart,
    ImportUpload,
    LostRaceError,
    MailToken,
    Once,
    Outbox,
    OutboxMail,
    Session,
    Store,
    User,
    Write,
    cookie_hash,
)
from local.memory_table import MemoryTable as RealTable
from shared.envelope import Sealed
from shared.http import UnauthorizedError

NOW = 1_800_000_000
LATER = NOW + 60


def hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


class Cancelled(Exception):
    """A transaction whose last write lost."""

    response: ClassVar = {"CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]}


class MemoryTable:
    """Keeps items that are put, and what else it is asked for."""

    class exceptions:  # noqa: N801 - as DynamoDB's client calls it
        TransactionCanceledException = Cancelled
        ConditionalCheckFailedException = KeyError

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {}
        self.cancel = False

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["ConsistentRead"] is True
        key = request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]
        return {"Item": self.items[key]} if key in self.items else {}

    def transact_write_items(self, **request: Any) -> None:
        if self.cancel:
            raise Cancelled
        self.requests += request["TransactItems"]
        for each in request["TransactItems"]:
            if "Put" in each:
                item = each["Put"]["Item"]
                self.items[item["pk"]["S"], item["sk"]["S"]] = item

    def update_item(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return {"Attributes": self.answer}

    def put_item(self, **request: Any) -> None:
        self.requests.append(request)

    def query(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return {"Items": list(self.items.values())}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
        partition, prefix = values[":pk"], values.get(":prefix", "")
        found = [
            item for (pk, sk), item in sorted(self.items.items()) if pk == partition and sk.startswith(prefix)
        ]
        return [{"Items": found[:1]}, {"Items": found[1:]}]


@pytest.fixture
def dynamodb() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def store(dynamodb: MemoryTable) -> Store:
    return Store(dynamodb, "users", lambda: float(NOW))  # type: ignore[arg-type]


@pytest.fixture
def table() -> RealTable:
    """A table in which conditions and updates count."""
    return RealTable({"users": ("pk", "sk")})


@pytest.fixture
def memory(table: RealTable) -> Store:
    return Store(table, "users", lambda: float(NOW))  # type: ignore[arg-type]


def written(store: Store, dynamodb: MemoryTable, write: Write) -> dict[str, Any]:
    """Commit a write, and return what went to DynamoDB."""
    dynamodb.requests.clear()
    store.commit(write)
    [request] = dynamodb.requests
    return request


def put(pk: str, sk: str, item: dict[str, Any], *, new: bool = True) -> dict[str, Any]:
    """A put as DynamoDB gets it."""
    condition = {"ConditionExpression": "attribute_not_exists(pk)"} if new else {}
    return {"Put": {"TableName": "users", "Item": {"pk": {"S": pk}, "sk": {"S": sk}, **item}, **condition}}


def key(pk: str, sk: str = ".") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


USER = User(
    "u1", "active", Sealed(b"info", {"eu": b"key"}), email_index="ei", ts="t1", version={"eu": 2}, origin="eu"
)
USER_ITEM = {
    "status": {"S": "active"},
    "ts": {"S": "t1"},
    "version": {"M": {"eu": {"N": "2"}}},
    "origin": {"S": "eu"},
    "email_index": {"S": "ei"},
    "data": {"M": {"info": {"B": b"info"}, "keys": {"M": {"eu": {"B": b"key"}}}}},
}


def test_account(store: Store, dynamodb: MemoryTable) -> None:
    assert store.users.get("u1") is None
    assert written(store, dynamodb, store.users.save(USER, None)) == put("U#u1", ".", USER_ITEM)
    assert store.users.get("u1") == USER
    assert written(store, dynamodb, store.users.save(USER, User("u1", "unverified", version={"eu": 1}))) == {
        "Put": put("U#u1", ".", USER_ITEM, new=False)["Put"]
        | {
            "ConditionExpression": "version = :before AND #status = :status",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":before": {"M": {"eu": {"N": "1"}}},
                ":status": {"S": "unverified"},
            },
        }
    }
    assert written(store, dynamodb, store.users.unchanged(USER)) == {
        "ConditionCheck": {
            "TableName": "users",
            "Key": key("U#u1"),
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"M": {"eu": {"N": "2"}}}},
        }
    }


def test_tombstone(store: Store, dynamodb: MemoryTable) -> None:
    ended = User("u1", "merged", ts="t1", version={"eu": 3}, origin="eu", merged_into="u2")
    item = {
        "status": {"S": "merged"},
        "ts": {"S": "t1"},
        "version": {"M": {"eu": {"N": "3"}}},
        "origin": {"S": "eu"},
        "merged_into": {"S": "u2"},
    }
    assert written(store, dynamodb, store.users.save(ended, None)) == put("U#u1", ".", item)
    assert store.users.get("u1") == ended


def test_accounts_that_share_an_identifier(store: Store, dynamodb: MemoryTable) -> None:
    store.commit(store.users.save(USER, None))
    assert store.users.sharing(Alias("email", "ei")) == ["u1"]
    assert dynamodb.requests[-1] == {
        "TableName": "users",
        "IndexName": "email_index",
        "KeyConditionExpression": "email_index = :index",
        "ExpressionAttributeValues": {":index": {"S": "ei"}},
    }


@pytest.mark.parametrize(("alias", "pk"), [(Alias("email", "i"), "E#i"), (Alias("phone", "i"), "P#i")])
def test_alias(store: Store, dynamodb: MemoryTable, alias: Alias, pk: str) -> None:
    assert alias.text == pk
    assert Alias.of_text(pk) == alias
    forever = {"N": "253402300799"}
    claim = {
        "TableName": "users",
        "Key": key(pk),
        "UpdateExpression": "SET #user = :user, forever = :forever, expires = :forever",
        "ConditionExpression": "attribute_not_exists(#user) OR #user = :user",
        "ExpressionAttributeNames": {"#user": "user"},
        "ExpressionAttributeValues": {":user": {"S": "u1"}, ":forever": forever},
    }
    assert written(store, dynamodb, store.aliases.claim(alias, "u1")) == {"Update": claim}
    held = written(store, dynamodb, store.aliases.claim(alias, "u1", held_by="u2"))["Update"]
    assert held["ConditionExpression"] == "attribute_not_exists(#user) OR #user = :user OR #user = :held"
    assert held["ExpressionAttributeValues"][":held"] == {"S": "u2"}
    assert store.aliases.releases(alias, "u1") == []
    dynamodb.items[pk, "."] = {"user": {"S": "u1"}, "expires": forever}
    assert store.aliases.owner(alias) == "u1"
    [release] = store.aliases.releases(alias, "u1")
    assert written(store, dynamodb, release) == {
        "Update": {
            "TableName": "users",
            "Key": key(pk),
            "UpdateExpression": "REMOVE #user, forever SET expires = :soon",
            "ConditionExpression": "#user = :user",
            "ExpressionAttributeNames": {"#user": "user"},
            "ExpressionAttributeValues": {":user": {"S": "u1"}, ":soon": {"N": "1"}},
        }
    }


def test_attempts_of_an_alias(store: Store, dynamodb: MemoryTable) -> None:
    alias = Alias("email", "i")
    dynamodb.answer = {
        "user": {"S": "u1"}, "failed": {"N": "4"}, "wait": {"N": "5"}, "locked": {"N": "6"},
        "last": {"N": "7"},
    }  # fmt: skip
    assert store.aliases.count_attempt(alias, 10) == Attempts("u1", 4, 5, 6, counted=True)
    assert dynamodb.requests[-1]["Key"] == key("E#i")
    assert dynamodb.requests[-1]["ExpressionAttributeNames"] == {
        "#failed": "failed", "#last": "last", "#locked": "locked", "#wait": "wait",
    }  # fmt: skip
    none = {"N": "0"}
    assert written(store, dynamodb, store.aliases.forget_attempts(alias, begun=1))["Update"] == {
        "TableName": "users",
        "Key": key("E#i"),
        "UpdateExpression": (
            "SET #failed = :none, #wrong = :none, #wait = :none, #locked = :none ADD #begun :begun"
        ),
        "ExpressionAttributeNames": {
            "#failed": "failed", "#wrong": "wrong", "#wait": "wait", "#locked": "locked", "#begun": "begun",
        },
        "ExpressionAttributeValues": {":none": none, ":begun": {"N": "1"}},
    }  # fmt: skip
    assert written(store, dynamodb, store.aliases.note_ending(alias, ["", "f1"]))["Update"] == {
        "TableName": "users",
        "Key": key("E#i"),
        "UpdateExpression": "SET #ending = :ending, #begun = :none",
        "ExpressionAttributeNames": {"#ending": "ending", "#begun": "begun"},
        "ExpressionAttributeValues": {":ending": {"S": ",f1"}, ":none": none},
    }
    assert written(store, dynamodb, store.aliases.note_wrong(alias, wait=9))["Update"] == {
        "TableName": "users",
        "Key": key("E#i"),
        "UpdateExpression": "SET #wait = :wait ADD #wrong :one",
        "ExpressionAttributeNames": {"#wait": "wait", "#wrong": "wrong"},
        "ExpressionAttributeValues": {":wait": {"N": "9"}, ":one": {"N": "1"}},
    }


def test_session(store: Store, dynamodb: MemoryTable) -> None:
    session = Session("u1", "f1", "shop", "openid", began=NOW, auth_time=NOW - 9, expires=LATER)
    item = {
        "client": {"S": "shop"},
        "scope": {"S": "openid"},
        "number": {"N": "0"},
        "rotated": {"N": "0"},
        "began": {"N": str(NOW)},
        "auth_time": {"N": str(NOW - 9)},
        "expires": {"N": str(LATER)},
    }
    assert written(store, dynamodb, store.sessions.create(session)) == put("U#u1", "R#f1", item)
    assert store.sessions.get("u1", "f1") == session
    other = Session(
        "u1", "f2", "shop", "openid", NOW, NOW, LATER, number=3, rotated_ms=5, sid="of the browser",
        epoch="1.ab", registration="00ff", audience="https://api.example",
    )  # fmt: skip
    made = written(store, dynamodb, store.sessions.create(other))["Put"]["Item"]
    assert (made["sid"], made["epoch"]) == ({"S": "of the browser"}, {"S": "1.ab"})
    assert (made["registration"], made["audience"]) == ({"S": "00ff"}, {"S": "https://api.example"})
    assert store.sessions.of_user("u1") == [session, other]
    assert written(store, dynamodb, store.sessions.rotate("u1", "f1", 3, 1234, LATER)) == {
        "Update": {
            "TableName": "users",
            "Key": key("U#u1", "R#f1"),
            "UpdateExpression": "SET #number = :next, rotated = :rotated, expires = :expires",
            "ConditionExpression": "#number = :number",
            "ExpressionAttributeNames": {"#number": "number"},
            "ExpressionAttributeValues": {
                ":number": {"N": "3"},
                ":next": {"N": "4"},
                ":rotated": {"N": "1234"},
                ":expires": {"N": str(LATER)},
            },
        }
    }
    assert written(store, dynamodb, store.sessions.delete("u1", "f1")) == {
        "Delete": {"TableName": "users", "Key": key("U#u1", "R#f1")}
    }


def test_session_in_a_browser(store: Store, dynamodb: MemoryTable) -> None:
    sk = f"S#{hashed('cookie')}"
    session = BrowserSession("u1", cookie_hash("cookie"), NOW, "sid", LATER)
    item = {"auth_time": {"N": str(NOW)}, "sid": {"S": "sid"}, "expires": {"N": str(LATER)}}
    assert written(store, dynamodb, store.browsers.create(session)) == put("U#u1", sk, item)
    assert store.browsers.get("u1", "cookie") == session
    assert store.browsers.get("u1", "another") is None
    assert store.browsers.of_user("u1") == [session]
    assert written(store, dynamodb, store.browsers.exists("u1", hashed("cookie"))) == {
        "ConditionCheck": {
            "TableName": "users",
            "Key": key("U#u1", sk),
            "ConditionExpression": "attribute_exists(pk)",
        }
    }
    assert written(store, dynamodb, store.browsers.delete("u1", hashed("cookie"))) == {
        "Delete": {"TableName": "users", "Key": key("U#u1", sk)}
    }


def test_grant(store: Store, dynamodb: MemoryTable) -> None:
    assert store.grants.scopes("u1", "", "shop", "00ff") is None
    assert written(store, dynamodb, store.grants.add("u1", "", "shop", "00ff", ("openid", "email"))) == {
        "Update": {
            "TableName": "users",
            "Key": key("U#u1", "G#shop#00ff"),
            "UpdateExpression": "ADD scopes :scopes",
            "ExpressionAttributeValues": {":scopes": {"SS": ["openid", "email"]}},
        }
    }
    known = [("G#shop#00ff", ["email", "openid"]), ("G#shop", ["openid"]), ("G#shop##e1", ["phone"])]
    for sk, scopes in known:
        dynamodb.items["U#u1", sk] = key("U#u1", sk) | {"scopes": {"SS": scopes}}
    assert store.grants.scopes("u1", "", "shop", "00ff") == frozenset({"email", "openid"})
    assert store.grants.scopes("u1", "", "shop", "") == frozenset({"openid"}), (
        "of a registration without a name"
    )
    assert store.grants.scopes("u1", "", "shop", "another") is None
    assert sorted(store.grants.of_user("u1", "")) == [
        Grant("shop", ("email", "openid")),
        Grant("shop", ("openid",)),
    ]
    assert store.grants.scopes("u1", "e1", "shop", "00ff") is None, "of before the account was begun anew"
    assert store.grants.scopes("u1", "e1", "shop", "") == frozenset({"phone"})
    assert store.grants.of_user("u1", "e1") == [Grant("shop", ("phone",))]


def test_lease(store: Store, dynamodb: MemoryTable) -> None:
    assert written(store, dynamodb, store.leases.take("rotation", 90)) == {
        "Put": {
            "TableName": "users",
            "Item": key("N#rotation") | {"expires": {"N": str(NOW + 90)}},
            "ConditionExpression": "attribute_not_exists(pk) OR expires < :now",
            "ExpressionAttributeValues": {":now": {"N": str(NOW)}},
        }
    }
    assert written(store, dynamodb, store.leases.give_back("rotation")) == {
        "Delete": {"TableName": "users", "Key": key("N#rotation")}
    }


def test_what_belongs_to_a_person_is_deleted_and_the_account_stays(
    store: Store, dynamodb: MemoryTable
) -> None:
    store.commit(store.users.save(USER, None))
    store.commit(store.sessions.create(Session("u1", "f1", "shop", "openid", NOW, NOW, LATER)))
    store.commit(store.browsers.create(BrowserSession("u1", "hash", NOW, "sid", LATER)))
    dynamodb.requests.clear()
    store.commit_each(store.users.delete_belongings("u1"))
    deleted = [request["Delete"]["Key"]["sk"]["S"] for request in dynamodb.requests]
    assert deleted == ["R#f1", "S#hash"]


def test_authorization_code(store: Store, dynamodb: MemoryTable) -> None:
    code = AuthorizationCode(
        "shop", "https://shop.example/", "challenge", "nonce", "openid", "u1", "hash", "sid", NOW, LATER,
        LATER + 1,
    )  # fmt: skip
    item = {
        "client": {"S": "shop"},
        "redirect_uri": {"S": "https://shop.example/"},
        "challenge": {"S": "challenge"},
        "nonce": {"S": "nonce"},
        "scope": {"S": "openid"},
        "user": {"S": "u1"},
        "session": {"S": "S#hash"},
        "sid": {"S": "sid"},
        "auth_time": {"N": str(NOW)},
        "good_until": {"N": str(LATER)},
        "expires": {"N": str(LATER + 1)},
    }
    pk = f"O#{hashed('code')}"
    assert written(store, dynamodb, store.codes.create("code", code)) == put(pk, ".", item)
    assert store.codes.get("code") == code
    assert written(store, dynamodb, store.codes.redeem("code", "f1")) == {
        "Update": {
            "TableName": "users",
            "Key": key(pk),
            "UpdateExpression": "SET #family = :family",
            "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(#family)",
            "ExpressionAttributeNames": {"#family": "family"},
            "ExpressionAttributeValues": {":family": {"S": "f1"}},
        }
    }
    dynamodb.items[pk, "."]["family"] = {"S": "f1"}
    found = store.codes.get("code")
    assert found is not None
    assert found.family == "f1"


def test_verification_token(store: Store, dynamodb: MemoryTable) -> None:
    token = MailToken("reset", "u1", "index", "shop", LATER)
    item = {
        "kind": {"S": "reset"},
        "user": {"S": "u1"},
        "index": {"S": "index"},
        "client": {"S": "shop"},
        "expires": {"N": str(LATER)},
    }
    pk = f"T#{hashed('token')}"
    assert written(store, dynamodb, store.mail_tokens.create("token", token)) == put(pk, ".", item)
    assert store.mail_tokens.get("token") == token
    assert written(store, dynamodb, store.mail_tokens.redeem("token")) == {
        "Update": {
            "TableName": "users",
            "Key": key(pk),
            "UpdateExpression": "SET #used = :yes",
            "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(#used)",
            "ExpressionAttributeNames": {"#used": "used"},
            "ExpressionAttributeValues": {":yes": {"BOOL": True}},
        }
    }
    dynamodb.items[pk, "."]["used"] = {"BOOL": True}
    found = store.mail_tokens.get("token")
    assert found is not None
    assert found.used


def test_client(store: Store, dynamodb: MemoryTable) -> None:
    assert store.clients.get("shop") is None
    dynamodb.items["C#shop", "."] = {"client": {"S": '{"company": "shop"}'}}
    found = store.clients.get("shop")
    assert found is not None
    assert found["company"] == "shop"


def test_import(store: Store, dynamodb: MemoryTable) -> None:
    kept = {"expires": {"N": str(NOW + 30 * 86_400)}}
    job = ImportJob("server", "shop", dry_run=True)
    item = {
        "client": {"S": "server"},
        "company": {"S": "shop"},
        "dry_run": {"BOOL": True},
        "state": {"S": "waiting"},
    }
    assert store.imports.get("j1") == (None, [])
    assert written(store, dynamodb, store.imports.create("j1", job)) == put("I#j1", ".", item | kept)
    counts = {"created": 2, "merged": 0, "already": 0, "conflict": 0, "erased": 0, "refused": 1}
    part = {result: {"N": str(count)} for result, count in counts.items()}
    made = written(store, dynamodb, store.imports.put_part("j1", "000000", {"created": 2, "refused": 1}))
    assert made == put("I#j1", "000000", part | kept, new=False)
    assert store.imports.get("j1") == (job, [ImportPart("000000", counts)])  # type: ignore[arg-type]
    del dynamodb.items["I#j1", "000000"]["erased"]  # as it was written before there was such a result
    assert store.imports.get("j1") == (job, [ImportPart("000000", counts)])  # type: ignore[arg-type]
    assert written(store, dynamodb, store.imports.set_state("j1", "failed", problem="why")) == {
        "Update": {
            "TableName": "users",
            "Key": key("I#j1"),
            "UpdateExpression": "SET #state = :state, problem = :problem",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":state": {"S": "failed"}, ":problem": {"S": "why"}},
        }
    }
    dynamodb.items["I#j1", "."] |= {"state": {"S": "failed"}, "parts": {"N": "3"}, "problem": {"S": "why"}}
    found, _ = store.imports.get("j1")
    assert found == ImportJob("server", "shop", dry_run=True, state="failed", parts=3, problem="why")


def test_line_of_an_import_of_files(store: Store, dynamodb: MemoryTable) -> None:
    part, report = ("first-move", "run", "001-000000"), {"result": "created", "user_id": "u1"}
    made = written(store, dynamodb, store.import_lines.take(part, 12, report))
    item = {"report": {"S": '{"result": "created", "user_id": "u1"}'}}
    item |= {"expires": {"N": str(NOW + 2 * 86_400)}}
    assert made == put("I#first-move#run#001-000000", "000000012", item)
    assert store.import_lines.taken(part) == {12: report}
    assert store.import_lines.taken(("first-move", "dry_run", "001-000000")) == {}


def test_uploads_of_an_import(memory: Store) -> None:
    """Each upload's parts come after those that the job has, and the job is done with the last of all."""
    memory.commit(memory.imports.create("j1", ImportJob("server", "shop", dry_run=False)))
    waiting, _ = memory.imports.get("j1")
    assert waiting is not None
    first = memory.imports.add_upload("j1", waiting, ImportUpload("v1", 0, 2))
    memory.commit(*first)
    with pytest.raises(LostRaceError):
        memory.commit(*first)
    with pytest.raises(LostRaceError):
        memory.commit(*memory.imports.add_upload("j1", waiting, ImportUpload("v2", 0, 1)))
    running, parts = memory.imports.get("j1")
    assert (running, parts) == (waiting._replace(state="running", parts=2), [])
    assert running is not None
    memory.commit(*memory.imports.add_upload("j1", running, ImportUpload("v2", 2, 1)))
    assert memory.imports.uploads("j1") == [ImportUpload("v1", 0, 2), ImportUpload("v2", 2, 1)]
    with pytest.raises(LostRaceError):
        memory.commit(memory.imports.finish("j1", 2))
    memory.commit(memory.imports.finish("j1", 3))
    done, _ = memory.imports.get("j1")
    assert done == waiting._replace(state="done", parts=3)


def test_what_a_dry_run_would_have_made(memory: Store, table: RealTable) -> None:
    alias, dry_runs = Alias("email", "i"), memory.dry_runs
    assert (dry_runs.account("j1", "u1"), dry_runs.owner("j1", alias)) == (None, None)
    account = AccountSummary(frozenset({"i"}), "p", frozenset({"u1", "u2"}), 2000)
    writes = [dry_runs.save_account("j1", "u1", account), dry_runs.save_owner("j1", alias, DryRunOwner("u1"))]
    memory.commit(*writes)
    assert table.tables["users"] == {
        ("D#j1#u1", "."): key("D#j1#u1")
        | {
            "verified": {"SS": ["i"]},
            "phone": {"S": "p"},
            "ids": {"SS": ["u1", "u2"]},
            "cost": {"N": "2000"},
            "merged_into": {"S": ""},
            "revision": {"N": "1"},
            "expires": {"N": str(NOW + 86_400)},
        },
        ("D#j1#E#i", "."): key("D#j1#E#i")
        | {"user": {"S": "u1"}, "revision": {"N": "1"}, "expires": {"N": str(NOW + 86_400)}},
    }
    assert dry_runs.account("j1", "u1") == account._replace(revision=1)
    assert dry_runs.owner("j1", alias) == DryRunOwner("u1", 1)
    for write in writes:
        with pytest.raises(LostRaceError):
            memory.commit(write)  # another part of the job was faster
    freed = DryRunOwner("", 1)
    memory.commit(dry_runs.save_owner("j1", alias, freed))
    assert dry_runs.owner("j1", alias) == freed._replace(revision=2)
    memory.commit(dry_runs.save_account("j1", "u2", AccountSummary(merged_into="u1")))
    assert dry_runs.account("j1", "u2") == AccountSummary(merged_into="u1", revision=1)


def test_code_of_a_second_factor(store: Store, dynamodb: MemoryTable) -> None:
    assert store.totp_steps.last("u1") == -1
    assert written(store, dynamodb, store.totp_steps.redeem("u1", 7, LATER)) == {
        "Update": {
            "TableName": "users",
            "Key": key("F#u1"),
            "UpdateExpression": "SET step = :step, expires = :expires",
            "ConditionExpression": "attribute_not_exists(step) OR step < :step",
            "ExpressionAttributeValues": {":step": {"N": "7"}, ":expires": {"N": str(LATER)}},
        }
    }
    dynamodb.items["F#u1", "."] = {"step": {"N": "7"}, "expires": {"N": str(LATER)}}
    assert store.totp_steps.last("u1") == 7


def test_counter(store: Store, dynamodb: MemoryTable) -> None:
    dynamodb.answer = {"count": {"N": "3"}}
    window = NOW - NOW % 3600
    assert store.counters.add("mail", "E#i", 3600) == 3
    assert dynamodb.requests == [
        {
            "TableName": "users",
            "Key": key("L#mail#E#i", str(window)),
            "UpdateExpression": "SET expires = :end ADD #count :change",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":end": {"N": str(window + 7200)}, ":change": {"N": "1"}},
            "ReturnValues": "UPDATED_NEW",
        }
    ]
    assert store.counters.get("failures", "shop", 3600) == 0
    dynamodb.items["L#failures#shop", str(window)] = {"count": {"N": "9"}}
    assert store.counters.get("failures", "shop", 3600) == 9


def test_trail(store: Store, dynamodb: MemoryTable) -> None:
    made = written(store, dynamodb, store.audit.add("u1", "login", "shop", "wrong_password"))["Put"]
    time, _, random = made["Item"]["sk"]["S"].partition("#")
    assert time == "2027-01-15T08:00:00.000+00:00"
    assert len(random) == 8
    assert made == {
        "TableName": "users",
        "Item": {
            "pk": {"S": "A#u1"},
            "sk": {"S": f"{time}#{random}"},
            "action": {"S": "login"},
            "client": {"S": "shop"},
            "outcome": {"S": "wrong_password"},
            "expires": {"N": str(NOW + 400 * 86_400)},
        },
    }
    assert store.audit.of_subject("u1") == [AuditEntry(time, "login", "shop", "wrong_password", 1, time)]
    of_client = written(store, dynamodb, store.audit.add_of_client("shop", "import"))["Put"]["Item"]
    assert of_client["pk"] == {"S": "A#client#shop"}
    assert (of_client["client"], of_client["outcome"]) == ({"S": "shop"}, {"S": "ok"})


def test_refused_log_ins_of_an_hour_are_one_entry(table: RealTable) -> None:
    times = [NOW, NOW + 1, NOW + 3599, NOW + 3600]
    audits = [Store(table, "users", partial(float, each)).audit for each in times]  # type: ignore[arg-type]
    for audit in audits:
        audit.count("u1", "login", "shop", "wrong_password")
    audit = audits[-1]
    audit.count("u1", "login", "shop", "locked")
    hour = "2027-01-15T08:00:00.000+00:00"
    entries = audit.of_subject("u1")
    assert sorted(entries) == [
        AuditEntry(hour, "login", "shop", "wrong_password", 3, "2027-01-15T08:59:59.000+00:00"),
        AuditEntry(
            "2027-01-15T09:00:00.000+00:00", "login", "shop", "locked", 1, "2027-01-15T09:00:00.000+00:00"
        ),
        AuditEntry(
            "2027-01-15T09:00:00.000+00:00", "login", "shop", "wrong_password", 1,
            "2027-01-15T09:00:00.000+00:00",
        ),
    ]  # fmt: skip
    assert {item["expires"]["N"] for item in table.tables["users"].values()} == {
        str(NOW + 3600 + 400 * 86_400), str(NOW + 3599 + 400 * 86_400)
    }  # fmt: skip
    assert audit.of_subject("u1", most=2) == entries[:2]


def test_export_job(store: Store, dynamodb: MemoryTable) -> None:
    job, made = store.exports.create(ExportJob("shop", "u1"))
    assert store.exports.get(job) is None
    item = {"client": {"S": "shop"}, "user": {"S": "u1"}, "state": {"S": "running"}}
    assert written(store, dynamodb, made) == put(
        f"X#{job}", ".", item | {"expires": {"N": str(NOW + 86_400)}}
    )
    assert store.exports.get(job) == ExportJob("shop", "u1")
    done = written(store, dynamodb, store.exports.set_state(job, "done"))["Update"]
    assert (done["Key"], done["ExpressionAttributeValues"]) == (key(f"X#{job}"), {":state": {"S": "done"}})


def test_sessions_that_end_at_the_next_log_ins_of_an_alias(memory: Store) -> None:
    alias = Alias("email", "i")
    assert memory.aliases.count_attempt(alias, 10).ending == ()
    memory.commit(memory.aliases.note_ending(alias, ["", "", "f1", "f2"]))
    assert memory.aliases.count_attempt(alias, 10).ending == ("", "", "f1", "f2")
    memory.commit(memory.aliases.forget_attempts(alias, begun=1))
    memory.commit(memory.aliases.forget_attempts(alias, begun=1))
    assert memory.aliases.count_attempt(alias, 10).ending == ("f1", "f2")
    memory.commit(memory.aliases.forget_attempts(alias, begun=1))
    memory.commit(memory.aliases.forget_attempts(alias, begun=1))
    assert memory.aliases.count_attempt(alias, 10).ending == ()
    memory.commit(memory.aliases.forget_attempts(alias, begun=1))
    memory.commit(memory.aliases.note_ending(alias, ["f3"]))
    assert memory.aliases.count_attempt(alias, 10).ending == ("f3",)


def test_answered_request_is_written_with_what_it_changes(store: Store, dynamodb: MemoryTable) -> None:
    store.commit(store.users.save(USER, None), None, once=Once("shop", "j1", LATER))
    changed, answered = dynamodb.requests
    assert changed == put("U#u1", ".", USER_ITEM)
    assert answered == put("J#shop#j1", ".", {"expires": {"N": str(LATER)}})


def test_replayed_request_is_told_from_a_lost_race(store: Store, dynamodb: MemoryTable) -> None:
    dynamodb.cancel = True
    with pytest.raises(UnauthorizedError):
        store.commit(store.users.unchanged(USER), once=Once("shop", "j1", LATER))
    with pytest.raises(LostRaceError) as lost:
        store.commit(store.users.unchanged(USER), store.users.unchanged(USER))
    assert lost.value.lost == (1,)


def test_what_has_expired_is_not_there(store: Store, dynamodb: MemoryTable) -> None:
    store.commit(store.sessions.create(Session("u1", "f1", "shop", "openid", NOW, NOW, NOW - 1)))
    assert store.sessions.get("u1", "f1") is None
    assert store.sessions.of_user("u1") == []


def test_mail_in_the_outbox(dynamodb: MemoryTable) -> None:
    outbox = Outbox(dynamodb, "outbox")  # type: ignore[arg-type]
    outbox.put(OutboxMail("m1", "ada@example.org", "verify", "Hello", "Text", "token"), NOW)
    [request] = dynamodb.requests
    assert request == {
        "TableName": "outbox",
        "Item": {
            "id": {"S": "m1"},
            "to": {"S": "ada@example.org"},
            "kind": {"S": "verify"},
            "subject": {"S": "Hello"},
            "text": {"S": "Text"},
            "token": {"S": "token"},
            "expires": {"N": str(NOW + 86_400)},
        },
    }


def test_device(store: Store, dynamodb: MemoryTable) -> None:
    assert not store.devices.exists("u1", "shop")
    item = key("U#u1", "V#shop") | {"expires": {"N": str(NOW + 90 * 86_400)}}
    assert written(store, dynamodb, store.devices.remember("u1", "shop")) == {
        "Put": {"TableName": "users", "Item": item}
    }
    assert store.devices.exists("u1", "shop")
    assert not store.devices.exists("u1", "bank")
