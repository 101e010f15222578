"""The central authentication's numbers: `make bench BENCH=auth`.

The suite is deployed once to a local engine of the benchmark's own. The API's handler then runs in this
process, with the environment of the deployed function and events as API Gateway writes them: CPU time is
ours alone, and the engine's is another process's. Only the times that a client sees are taken over HTTP.

People are made by the importer itself; the first log-in of each replaces the legacy hash by an argon2id hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any, cast
from unittest import mock

PATHS = tuple(Path(__file__).parents[1] / part for part in ("functions/auth", "layers/shared"))
sys.path[:0] = map(str, PATHS)
# Powertools reads them when the handler is imported.
os.environ |= {"POWERTOOLS_SERVICE_NAME": "auth", "POWERTOOLS_METRICS_NAMESPACE": "bench"}

# ruff: noqa: E402  # the lines above come first
import bcrypt
import jwt
from aws_lambda_powertools.utilities.typing import LambdaContext

from auth import api
from auth.credentials import argon2id, legacy
from auth.credentials.logins import LockState, after_failure
from auth.imports.importing import Importer
from auth.services import Services, get_services
from auth.storage import Session
from auth.tokens import RefreshToken
from bench import envelope
from bench.harness import ROOT, Steps, Suite, compare, fresh_process, one_core
from local.clients.company import Company
from local.clients.table_dump import readable
from local.deploy import STACK, build, deploy
from local.engine_process import EngineProcess, aws_environment
from local.suite import Suite as Deployed
from shared.clients import client, small_client
from shared.http import _answer
from shared.small_client import OPERATIONS, SmallClient

LOGINS = 60
TIMED = 15
TOKENS = 200
ROUNDS = 5
CROWD = 50
PEOPLE, LOAD_S, WARM_UP_S = 8, 30, 5
BY_BOTO3 = "calls by boto3"
FUNCTION = "AuthApiFunction"
BUILT = ROOT / ".aws-sam" / "local"
EVENT = ROOT / "events/auth/api_login_unknown_client.json"
HASHES = ROOT / "tests/unit/auth/legacy_hashes.json"  # made by other implementations
PBKDF2_ROUNDS = 1_200_000  # the most that are accepted

_IMPORT = """
import boto3, importlib, json, sys, time
times = []
for module in sys.argv[1:]:
    start = time.process_time()
    importlib.import_module(module)
    times.append(1000 * (time.process_time() - start))
print(json.dumps(times))
"""


@dataclass(frozen=True)
class Person:
    """Somebody who was imported."""

    id: str
    email: str
    password: str
    name: str
    old_hash: str


class Place:
    """The deployed suite, a client of it, and the handler in this process.

    Args:
        engine: Where the suite is.
        outputs: The stack's outputs.
    """

    def __init__(self, engine: EngineProcess, outputs: dict[str, str]) -> None:
        self.engine = engine
        described = engine.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=FUNCTION
        )["StackResourceDetail"]
        name = described["PhysicalResourceId"]
        deployed = engine.client("lambda").get_function_configuration(FunctionName=name)
        self.zipped = {"function": deployed["CodeSize"]}
        self.zipped |= {layer["Arn"].split(":")[-2]: layer["CodeSize"] for layer in deployed["Layers"]}
        os.environ.update(aws_environment(engine.endpoint) | deployed["Environment"]["Variables"])
        os.environ["MAILS_PER_HOUR"] = "1000"  # or most of the crowd would be sent away
        self.table = os.environ["TABLE"]
        self.company = Company(Deployed(engine, outputs), "bench")
        self.at: Services = get_services()
        known = self.at.clients.get("bench")
        assert known is not None
        self._api_key_id = known.api_key_id
        self.people: list[Person] = []

    def event(self, method: str, path: str, payload: dict[str, Any], user: str = "") -> dict[str, Any]:
        """A signed request as API Gateway hands it on."""
        event: dict[str, Any] = json.loads(EVENT.read_text())
        event["requestContext"]["identity"]["apiKeyId"] = self._api_key_id
        token = self.company.sign(self.company.claims(method, path.format(id=user), payload))
        parameters = {"id": user} if user else None
        return event | {
            "httpMethod": method,
            "resource": path,
            "path": path.format(id=user),
            "pathParameters": parameters,
            "body": json.dumps({"request": token}),
        }

    def call(self, method: str, path: str, payload: dict[str, Any], user: str = "") -> Any:
        """Answer a request; the body of the answer, which must be a success."""
        return answered(self.event(method, path, payload, user))

    def join(self, old_hash: Callable[[str], str], scheme: str | None = None) -> Person:
        """Import somebody with a legacy hash of a fresh password."""
        email, password = f"{token_hex(8)}@example.org", token_urlsafe(18)
        name, text = f"Wilhelmina-{token_hex(4)}", old_hash(password)
        line = {"id": email, "email": email, "email_verified": True, "password_hash": text}
        line |= {"profile": {"given_name": name}} | ({"hash_scheme": scheme} if scheme else {})
        done = Importer(self.at, "bench").take(json.dumps(line).encode())
        assert done["result"] == "created", done
        self.people.append(Person(done["user_id"], email, password, name, text))
        return self.people[-1]

    def member(self) -> Person:
        """Import somebody, and let the legacy hash be replaced by an argon2id hash."""
        person = self.join(lambda password: hashlib.sha1(password.encode()).hexdigest(), "sha1")  # noqa: S324
        self.call("POST", "/v1/login", {"email": person.email, "password": person.password})
        return person

    def settle(self, email: str, standing: Mapping[str, int]) -> None:
        """Forget the failures of an address, or lock it."""
        aliases, alias = self.at.store.aliases, self.at.alias("email", email)
        self.at.store.commit(
            aliases.note_wrong(alias, **standing) if standing else aliases.forget_attempts(alias)
        )


def answered(event: dict[str, Any]) -> Any:
    """The body of the handler's answer, which must be a success."""
    answer = api.handler(event, LambdaContext())
    assert answer["statusCode"] < 300, answer
    return json.loads(answer["body"]) if answer["body"] else None


# ---- CPU of a login --------------------------------------------------------------------------------------


@contextmanager
def _calls_by_boto3() -> Iterator[None]:
    """Have boto3 make the calls that the small client makes otherwise."""
    with ExitStack() as patched:
        for theirs, ours in (
            (client("dynamodb"), small_client("dynamodb")),
            (client("kms"), small_client("kms")),
        ):
            for method in OPERATIONS[theirs.meta.service_model.service_name]:
                patched.enter_context(mock.patch.object(ours, method, getattr(theirs, method)))
        yield


def _login(suite: Suite, place: Place) -> None:
    suite.step("a login beside argon2id alone, and with boto3's calls")
    person = place.member()
    steps = Steps()
    steps.watch(argon2id, "verify_bytes", "password hash")
    steps.watch(place.at.clients, "request", "the client's signature")
    for call in ("update_item", "get_item", "transact_write_items"):
        steps.watch(small_client("dynamodb"), call, "3 calls of DynamoDB")
        steps.watch(client("dynamodb"), call, BY_BOTO3)
    steps.watch(small_client("kms"), "decrypt", "1 call of KMS")
    steps.watch(client("kms"), "decrypt", BY_BOTO3)
    steps.watch(place.at.envelope, "decrypt", "opening the record")
    steps.watch(place.at.tokens, "access", "signing the access token")
    steps.watch(_answer.logger, "info", "the log line")
    logins, theirs, alone = [], [], []
    payload = {"email": person.email, "password": person.password}
    for turn in range(LOGINS + 1):
        events = [place.event("POST", "/v1/login", payload) for _ in range(2)]
        login = steps.run(partial(answered, events[0]))
        start = time.process_time()
        argon2id.hash_bytes(person.password.encode())
        hashed = 1000 * (time.process_time() - start)
        with _calls_by_boto3():
            by_boto3 = steps.run(partial(answered, events[1]))
        if turn:  # the first ones warm up
            logins.append(login)
            theirs.append(by_boto3)
            alone.append(hashed)
    with mock.patch.object(argon2id, "verify_bytes", return_value=True):
        events = [place.event("POST", "/v1/login", payload) for _ in range(LOGINS)]
        warm = [sum(steps.run(partial(answered, event)).values()) for event in events]
    steps.restore()

    def median(side: list[dict[str, float]], *parts: str) -> float:
        return statistics.median(sum(login[part] for part in parts) for login in side)

    rest = [part for part in logins[0] if part != "password hash"]
    whole, calls = median(logins, *logins[0]), median(logins, "3 calls of DynamoDB", "1 call of KMS")
    suite.add("CPU of a login besides the password hash, p50", median(logins, *rest), "ms", 4)
    suite.add("the same, where boto3 makes the calls", median(theirs, *rest), "ms")
    suite.add("CPU of the four calls, ours / boto3", calls / median(theirs, BY_BOTO3), "x")
    suite.add("CPU of a whole login / argon2id alone", whole / statistics.median(alone), "x", 1.4)
    suite.add("CPU of a whole login, p50", whole, "ms")
    suite.add("CPU of argon2id alone, p50", statistics.median(alone), "ms")
    suite.add(
        "CPU of a login that computes no hash, which would empty the caches", statistics.median(warm), "ms"
    )
    for part in logins[0]:
        if part != BY_BOTO3:
            suite.add(f"of a login: {part}", median(logins, part), "ms")


def _kms_calls(suite: Suite, place: Place) -> None:
    suite.step("calls of KMS")
    person = place.member()
    requests: list[str] = []

    def sent(event_name: str, **_: Any) -> None:
        requests.append(event_name)

    client("kms").meta.events.register("before-send.kms", sent)  # those that are left to boto3
    connections = cast("SmallClient", small_client("kms"))._connections
    send = connections.send

    def counted(request: bytes) -> Any:
        requests.append("by the small client")
        return send(request)

    password = token_urlsafe(18)
    for what, bar, request in (
        ("login", 1, ("POST", "/v1/login", {"email": person.email, "password": person.password})),
        (
            "new user",
            1,
            ("POST", "/v1/signup", {"email": f"{token_hex(8)}@example.org", "password": password}),
        ),
        ("change of an existing user", 2, ("PATCH", "/v1/users/{id}", {"locality": "Lisboa"}, person.id)),
    ):
        requests.clear()
        with mock.patch.object(connections, "send", counted):
            place.call(*request)
        suite.add(f"calls of KMS on the wire: {what}", len(requests), "calls", bar)
    client("kms").meta.events.unregister("before-send.kms", sent)


# ---- what a client sees ----------------------------------------------------------------------------------


def _pbkdf2(password: str) -> str:
    """As Django writes it, with the most rounds that are accepted."""
    salt = token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), PBKDF2_ROUNDS)
    return f"pbkdf2_sha256${PBKDF2_ROUNDS}${salt}${b64encode(digest).decode()}"


def _bcrypt(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(12)).decode()


def _refusals(suite: Suite, place: Place) -> None:
    suite.step("times of refused log-ins, over HTTP")
    member, locked = place.member(), place.member()
    nobody = f"{token_hex(8)}@example.org"
    fresh: dict[str, int] = {}
    lock = after_failure(LockState(place.at.settings.lock_attempts, 0), place.at.now_ms, place.at.settings)
    kinds = {
        "unknown": (nobody, "wrong", fresh),
        "wrong password": (member.email, "wrong", fresh),
        "empty password": (member.email, "", fresh),
        "locked": (locked.email, locked.password, lock),
        "wrong, bcrypt of cost 12": (place.join(_bcrypt).email, "wrong", fresh),
        f"wrong, PBKDF2 of {PBKDF2_ROUNDS:,} rounds": (place.join(_pbkdf2).email, "wrong", fresh),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(TIMED + 1):
        for kind, (email, password, standing) in kinds.items():
            place.settle(email, standing)
            start = time.perf_counter()
            answer = place.company.post("/v1/login", email=email, password=password)
            took = 1000 * (time.perf_counter() - start)
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials"), answer.text
            if turn:  # the first ones warm up
                times[kind].append(took)
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    spread = 100 * (max(medians.values()) / min(medians.values()) - 1)
    suite.add("times of refused log-ins: slowest median over the fastest", spread, "%", 5)
    for kind, milliseconds in medians.items():
        suite.add(f"refused log-in, {kind}, p50", milliseconds, "ms")


def _load(suite: Suite, place: Place) -> None:
    suite.step(f"{PEOPLE} people for {LOAD_S} s, over HTTP")
    people = [place.member() for _ in range(PEOPLE)]

    def visit(person: Person, end: float) -> list[tuple[float, int]]:
        """Log in again and again until a time: milliseconds and status of each."""
        seen = []
        while time.monotonic() < end:
            start = time.perf_counter()
            answer = place.company.post("/v1/login", email=person.email, password=person.password)
            seen.append((1000 * (time.perf_counter() - start), answer.status_code))
        return seen

    def together(seconds: float) -> list[tuple[float, int]]:
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(PEOPLE) as crowd:
            return [each for visits in crowd.map(lambda one: visit(one, end), people) for each in visits]

    together(WARM_UP_S)  # the engine starts a process for each that is needed at once
    seen = together(LOAD_S)
    times = statistics.quantiles((took for took, _ in seen), n=20)
    what = f"{PEOPLE} people for {LOAD_S} s"
    suite.add(f"{what}: log-ins that did not succeed", sum(status != 200 for _, status in seen), "", 0)
    suite.add(f"{what}: log-ins in a second, on the engine", len(seen) / LOAD_S, "/s")
    suite.add(f"{what}: log-in, p50", times[9], "ms")
    suite.add(f"{what}: log-in, p95", times[18], "ms")


# ---- tokens, imports, sizes ------------------------------------------------------------------------------


def _tokens(suite: Suite, place: Place) -> None:
    suite.step("tokens beside PyJWT")
    tokens, issuer = place.at.tokens, place.at.issuer
    key = place.at.keyring.signing_key()
    user, family = "0f8b2c1e-6d3a-4d8e-9a51-6c0f5b7f3f10", token_hex(16)
    session = Session(user, family, "bench", "account", 0, 0, 0, audience=issuer)

    def sign() -> None:
        for _ in range(TOKENS):
            tokens.access(session, "account")

    def sign_by_pyjwt() -> None:
        for _ in range(TOKENS):
            now = int(time.time())
            claims = {"iss": issuer, "iat": now, "exp": now + 600, "aud": issuer, "sub": user}
            claims |= {"client_id": "bench", "scope": "account", "sid": family, "jti": token_urlsafe(12)}
            jwt.encode(claims, key.private, "ES256", {"typ": "at+jwt", "kid": key.kid})

    token = tokens.access(session, "account")

    def verify() -> None:
        for _ in range(TOKENS):
            tokens.read_access(token)

    def verify_by_pyjwt() -> None:
        for _ in range(TOKENS):
            jwt.decode(token, key.private.public_key(), ["ES256"], audience=issuer, issuer=issuer)

    for what, ours, theirs in (("signed", sign, sign_by_pyjwt), ("verified", verify, verify_by_pyjwt)):
        sides = compare(ours, theirs, ROUNDS)
        suite.add(f"access tokens {what} in a second of CPU", 1000 * TOKENS / sides.ours, "tokens/s")
        suite.add("the same, CPU, ours / PyJWT", sides.ratio, "x")
    _refresh_tokens(suite, place, RefreshToken(user, family, 0))


def _refresh_tokens(suite: Suite, place: Place, token: RefreshToken) -> None:
    tokens = place.at.tokens
    refresh = tokens.refresh(token)
    start = time.process_time()
    for _ in range(TOKENS):
        tokens.read_refresh(refresh)
    each = (time.process_time() - start) / TOKENS
    suite.add("refresh tokens verified in a second of CPU", 1 / each, "tokens/s")


def _imports(suite: Suite) -> None:
    suite.step("imports in fresh processes")
    parts = ("shared.envelope._envelope", "argon2.low_level", "auth.api")
    times = [fresh_process(_IMPORT, *parts, paths=PATHS) for _ in range(8)][1:]
    sealed, hashing, _ = (statistics.median(column) for column in zip(*times, strict=True))
    suite.add("import of auth.api above boto3", statistics.median(map(sum, times)), "ms")
    suite.add("of it: the envelope", sealed, "ms")
    suite.add("of it: argon2", hashing, "ms")


def _sizes(suite: Suite, place: Place) -> None:
    suite.step("artifacts")
    for name, folder, package in (
        ("function", "AuthApiFunction", "function"),
        ("crypto layer", "CryptoLayer", "suite-local-crypto"),
    ):
        size = sum(path.stat().st_size for path in (BUILT / folder).rglob("*") if path.is_file())
        suite.add(f"size of the {name}, unzipped", size / 1e6, "MB")
        suite.add(f"size of the {name}, zipped", place.zipped[package] / 1e6, "MB")


# ---- what must hold --------------------------------------------------------------------------------------


def _crowds(suite: Suite, place: Place) -> None:
    suite.step("side by side")
    person = place.member()
    began = place.call("POST", "/v1/login", {"email": person.email, "password": person.password})
    payload = {"refresh_token": began["refresh_token"]}
    events = [place.event("POST", "/v1/token/refresh", payload) for _ in range(CROWD)]
    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(answered, events))
    suite.add(f"{CROWD} refreshes of one token side by side: answered", len(answers), "", CROWD, "higher")
    successors = {answer["refresh_token"] for answer in answers}
    suite.add("the same: different successors", len(successors), "", 1)
    place.call("POST", "/v1/token/refresh", {"refresh_token": successors.pop()})

    email, password = f"{token_hex(8)}@example.org", token_urlsafe(18)
    payload = {"email": email, "password": password}
    events = [place.event("POST", "/v1/signup", payload) for _ in range(CROWD)]
    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(answered, events))
    suite.add(f"{CROWD} sign-ups of one address side by side: answered", len(answers), "", CROWD, "higher")
    alias = place.at.alias("email", email)
    users = place.at.store.users.sharing(alias)
    assert users == [place.at.store.aliases.owner(alias)]
    suite.add("the same: accounts", len(users), "", 1)
    place.people.append(Person(users[0], email, password, email, password))


def _legacy_formats(suite: Suite) -> None:
    suite.step("legacy formats")
    accepted = set()
    for known in json.loads(HASHES.read_text()):
        wrapped = legacy.wrap(known["text"], scheme=known.get("hint"), salt=known.get("salt"))
        assert legacy.matches(wrapped, known["password"]), known
        accepted.add(wrapped["scheme"])
    suite.add("legacy formats accepted, of hashes that others made", len(accepted), "", 12, "higher")


def _dump(suite: Suite, place: Place) -> None:
    suite.step("the table, dumped")
    dump = readable(place.engine.client("dynamodb"), place.table).lower()
    ids = sum(person.id in dump for person in place.people)
    assert ids == len(place.people), "what is looked for would be found"

    def found(secrets: list[str]) -> int:
        forms = {form.lower() for text in secrets for form in (text, b64encode(text.encode()).decode())}
        return sum(form in dump for form in forms)

    personal = [text for person in place.people for text in (person.email, person.name, person.password)]
    hashes = [person.old_hash for person in place.people]
    hashes += ["$2a$", "$2b$", "$2y$", "$argon2", "pbkdf2", "scrypt", "$5$", "$6$", "$p$", "$h$", "$s$"]
    suite.add("personal data in plaintext in the dumped users table", found(personal), "", 0)
    suite.add("bare hashes there", found(hashes), "", 0)


# ---- the run ---------------------------------------------------------------------------------------------


def main() -> int:
    """Run everything; the number of bars missed."""
    suite = Suite("auth", steps=11 + envelope.STEPS)
    suite.step("deploying the suite")
    with tempfile.TemporaryDirectory(prefix="bench-auth-") as folder:
        build(Path(folder) / "build.log")
        engine = EngineProcess.start(Path(folder))
        try:
            place = Place(engine, deploy(engine, Path(folder) / "deploy.log"))
            one_core()  # this process; the engine and its workers have all of them
            with Path(os.devnull).open("w") as nowhere, warnings.catch_warnings():
                _answer.logger.registered_handler.setStream(nowhere)  # type: ignore[attr-defined]
                warnings.filterwarnings("ignore", "No application metrics")
                _login(suite, place)
                _kms_calls(suite, place)
                _refusals(suite, place)
                _load(suite, place)
                _tokens(suite, place)
                _crowds(suite, place)
                _dump(suite, place)
            _sizes(suite, place)
        finally:
            engine.stop()
    _legacy_formats(suite)
    _imports(suite)
    envelope.measure(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
