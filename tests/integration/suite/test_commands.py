"""The commands on a suite that is up: what they say, and what they do to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import cli, live, watch
from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD
from local.clients.sign_on import Visitor
from local.deploy import STACK, build
from local.engine_process import EngineProcess, free_port
from local.functions import find, functions_of
from local.logs import Tail
from local.people import make_people
from local.suite import Suite
from ops.next_steps import next_steps
from ops.paths import ROOT
from ops.stacks import outputs_of
from tests.support.interrupts import heed_interrupts
from tests.support.waiting import wait_until

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(suite: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as `make` does, on the tests' suite; status, output and errors."""

    def command(*words: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(cli, "STATE", suite.engine.directory)
            patch.setattr(sys, "argv", ["local.cli", *words])
            status = cli.main()
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def test_status_says_pages_sign_in_and_next_steps(suite: Suite, run: Run) -> None:
    status, said, _ = run("status")
    assert status == 0
    assert f"{suite['WebUrl']}/\n" in said
    assert f"{DEMO_EMAIL} with {DEMO_PASSWORD}" in said
    assert "make watch" in said
    assert len(said.splitlines()) < 12
    every = run("status", "--all")[1]
    assert all(f"{name} " in every and value in every for name, value in suite.outputs.items())


def test_a_port_that_is_not_the_engines_is_said(suite: Suite, run: Run) -> None:
    status, _, said = run("status", "--port", "1")
    assert (status, said) == (
        0,
        f"The engine of this checkout is at {suite.engine.endpoint}, not at PORT=1.\n",
    )
    assert run("status", "--port", "99999")[0] == 1


def test_people_can_sign_in_at_every_page_after_up(suite: Suite) -> None:
    for _ in range(4):  # at once, each with a new key that the authentication has to notice
        make_people(suite)
    group = suite.client("cognito-idp").list_users_in_group(
        UserPoolId=suite["UserPoolId"], GroupName="operators"
    )
    assert DEMO_EMAIL in {
        attribute["Value"]
        for user in group["Users"]
        for attribute in user["Attributes"]
        if attribute["Name"] == "email"
    } | {user["Username"] for user in group["Users"]}
    page, visitor = f"{suite['WebUrl']}/auth/", Visitor(suite)
    asked = {
        "response_type": "code", "client_id": "sign-on-page", "redirect_uri": page, "scope": "openid",
        "state": "s", "nonce": "n", "code_challenge": "a" * 43, "code_challenge_method": "S256",
    }  # fmt: skip
    answer = visitor.submit(visitor.open(asked), email=DEMO_EMAIL, password=DEMO_PASSWORD)
    while answer.headers.get("Location", "").startswith(visitor.url):
        answer = visitor.http.get(answer.headers["Location"], allow_redirects=False)
    if answer.status_code == 200:  # asks for consent, the first time
        answer = visitor.submit(answer, decision="allow")
        while answer.headers.get("Location", "").startswith(visitor.url):
            answer = visitor.http.get(answer.headers["Location"], allow_redirects=False)
    assert answer.headers["Location"].startswith(f"{page}?")
    assert "code=" in answer.headers["Location"]


# ---- logs
@pytest.fixture
def group(suite: Suite) -> Iterator[str]:
    logs = suite.client("logs")
    name = f"/commands/{time.time_ns():x}"
    logs.create_log_group(logGroupName=name)
    yield name
    logs.delete_log_group(logGroupName=name)


def write(suite: Suite, group: str, stream: str, *lines: tuple[int, str]) -> None:
    logs = suite.client("logs")
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": moment, "message": text} for moment, text in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_the_newest_lines_of_many_streams_come_in_their_order(suite: Suite, group: str) -> None:
    begun = time.time_ns() // 1_000_000 - 100_000
    for number in range(60):  # more than a page of streams
        write(
            suite,
            group,
            f"stream-{number:02}",
            (begun + number, f"line {number}"),
            (begun + 1000 + number, "x"),
        )
    write(suite, group, "stream-03", (begun + 5000, "the newest"))
    newest = Tail(suite.client("logs"), group=group).newest(30)
    assert [line.time_ms for line in newest] == [*range(begun + 1031, begun + 1060), begun + 5000]
    assert newest[-1].message == "the newest"


def test_what_comes_later_comes_once(suite: Suite, group: str) -> None:
    begun = time.time_ns() // 1_000_000
    write(suite, group, "known", *[(begun - 1000 + number, f"old {number}") for number in range(20)])
    tail = Tail(suite.client("logs"), group=group)
    assert len(tail.newest(5)) == 5
    write(suite, group, "known", (begun, "same"), (begun, "same"))
    write(suite, group, "new", (begun + 1, "other"))
    assert [line.message for line in tail.since(begun)] == ["same", "same", "other"]
    assert tail.since(begun) == []
    write(suite, group, "known", (begun + 2, "and more"))
    assert [line.message for line in tail.since(begun)] == ["and more"]


def test_logs_of_one_function_are_its_own(suite: Suite, run: Run) -> None:
    functions = functions_of(suite)
    for name in ("Resize", "Invalidate"):  # they share a log group
        suite.client("lambda").invoke(FunctionName=find(functions, name).name, Payload=b"{}")
    wait_until(lambda: "Invalidate" in run("logs", "--since", "1m")[1], what="a line")
    status, said, _ = run("logs", "--function", "resize", "--since", "5m")
    lines = [line for line in said.splitlines() if line[2:3] == ":"]
    assert status == 0
    assert lines
    assert {line.split()[1] for line in lines} == {"Resize"}


def test_an_unknown_function_is_one_line_that_lists_them(run: Run) -> None:
    status, said, errors = run("logs", "--function", "nope")
    assert (status, said) == (1, "")
    [line] = errors.splitlines()
    assert line.startswith("there is no function 'nope' on the engine; there are AuthApi, ")


def command(suite: Suite, *words: str) -> list[str]:
    """Return the command line of a command on the tests' suite."""
    state = str(suite.engine.directory)
    program = f"import sys; from pathlib import Path; from local import cli; cli.STATE = Path({state!r})"
    return [sys.executable, "-c", f"{program}; sys.exit(cli.main())", *words]


def test_following_ends_cleanly_with_ctrl_c(suite: Suite, tmp_path: Path) -> None:
    out, errors = tmp_path / "out", tmp_path / "errors"
    with out.open("w") as output, errors.open("w") as failures:
        process = subprocess.Popen(
            command(suite, "logs", "--function", "Resize", "--follow"),
            cwd=ROOT,
            stdout=output,
            stderr=failures,
            preexec_fn=heed_interrupts,
        )

    def followed() -> bool:
        asked.append(invoke(suite, "Resize")["requestId"])
        time.sleep(1.5)
        return f"START RequestId: {asked[-1]} " in out.read_text()

    asked: list[str] = []
    try:
        wait_until(followed, seconds=30, what="the invocation's lines")
    finally:
        process.send_signal(signal.SIGINT)
    assert (process.wait(20), errors.read_text()) == (0, "")
    assert out.read_text().count(f"START RequestId: {asked[-1]} ") == 1


# ---- Ctrl-C
@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", ["sam build ...", "sam deploy ..."])
def test_ctrl_c_during_up_leaves_nothing_half(tmp_path: Path, at: str) -> None:
    program = "import sys; from local import cli; sys.exit(cli.main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "up", "--port", str(free_port())], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"SUITE_STATE": str(tmp_path)},
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    assert process.stdout is not None
    while at not in process.stdout.readline():
        assert process.poll() is None
    engine = EngineProcess.recorded(tmp_path)
    assert engine is not None
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert EngineProcess.recorded(tmp_path) is None
    assert not engine.answers()
    left = [each for each in psutil.process_iter() if str(tmp_path) in " ".join(_command(each))]
    assert left == []
    build(tmp_path / "build.log")  # as if nothing had been


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


# ---- live code
@pytest.fixture
def restored(suite: Suite) -> Iterator[None]:
    """The suite's own code, after a test that replaces it."""
    yield
    functions = functions_of(suite)
    for folder in ("functions/image_resizer", live.SHARED):
        live.put(suite.engine, functions, folder)


@pytest.fixture
def checkout(restored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, which a test may change; what is put of it is replaced after the test."""
    root = tmp_path / "checkout"
    for folder in ("functions/image_resizer", "layers/shared", "web"):
        shutil.copytree(ROOT / folder, root / folder)
    (root / ".aws-sam/local").mkdir(parents=True)
    (root / ".aws-sam/local/SharedLayer").symlink_to(ROOT / ".aws-sam/local/SharedLayer")
    for module in (live, watch):
        monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(live, "_BUILT", root / ".aws-sam/local/SharedLayer")
    return root


def invoke(suite: Suite, name: str) -> Any:
    function = find(functions_of(suite), name).name
    return json.loads(suite.client("lambda").invoke(FunctionName=function, Payload=b"{}")["Payload"].read())


def test_changed_functions_and_library_run_at_the_next_invocation(suite: Suite, checkout: Path) -> None:
    functions = functions_of(suite)
    source = checkout / "functions/image_resizer/image_resizer/resize.py"
    source.write_text(source.read_text() + "\n\ndef handler(event, context):\n    return 'changed'\n")
    put = live.put(suite.engine, functions, "functions/image_resizer")
    assert {function.short for function in put} == {"Invalidate", "Resize"}
    assert invoke(suite, "Resize") == "changed"
    library = checkout / "layers/shared/shared/http/__init__.py"
    library.write_text(library.read_text() + "\n\nraise RuntimeError('the library changed')\n")
    put = live.put(suite.engine, functions, live.SHARED)
    assert {function.short for function in functions} == {function.short for function in put}
    assert "the library changed" in json.dumps(invoke(suite, "Resize"))


def test_a_deployment_puts_what_was_put_before(suite: Suite, checkout: Path) -> None:
    source = checkout / "functions/image_resizer/image_resizer/resize.py"
    text = source.read_text()
    source.write_text(f"{text}\n\ndef handler(event, context):\n    return 'changed'\n")
    live.put(suite.engine, functions_of(suite), "functions/image_resizer")
    assert invoke(suite, "Resize") == "changed"
    source.write_text(f"{text}\n\ndef handler(event, context):\n    return 'changed back'\n")
    live.put_again(suite)
    assert invoke(suite, "Resize") == "changed back"


def test_a_source_that_does_not_compile_leaves_the_old_code(suite: Suite, checkout: Path) -> None:
    said: list[str] = []

    class Recorder:
        def print(self, text: str, **_: object) -> None:
            said.append(text)

    before = invoke(suite, "Resize")
    source = checkout / "functions/image_resizer/image_resizer/resize.py"
    text = source.read_text()
    source.write_text(f"{text}\ndef broken(:\n")
    waiting = watch._put(suite, {source}, Recorder())  # type: ignore[arg-type]
    assert waiting == {source}
    [line] = said
    assert "image_resizer/resize.py" in line
    assert line.endswith("invalid syntax; the old code stays")
    assert invoke(suite, "Resize")["errorType"] == before["errorType"] == "ForeignEventError"
    source.write_text(text)
    assert watch._put(suite, waiting, Recorder()) == set()  # type: ignore[arg-type]


# ---- shell
def test_tools_of_the_shell_work_on_the_suite(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    line = (
        "which sam python; python -c 'import boto3, shared; print(boto3.client(\"s3\").meta.endpoint_url)';"
        f" sam list stack-outputs --stack-name {STACK} --output json; echo profile=$AWS_PROFILE; exit 7"
    )
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setattr(cli, "STATE", suite.engine.directory)
    monkeypatch.setattr(sys, "argv", ["local.cli", "shell", "--command", line])
    assert cli.main() == 7
    said = capfd.readouterr().out
    assert said.splitlines()[:3] == [
        str(ROOT / ".venv/tools/bin/sam"), str(ROOT / ".venv/tools/bin/python"), suite.engine.endpoint,
    ]  # fmt: skip
    assert suite["WebUrl"] in said
    assert said.endswith("profile=\n")


def test_the_interactive_shell_has_a_prompt_and_the_tools_first(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the person's own file makes of PATH."""
    (tmp_path / ".bashrc").write_text("export PATH=/usr/bin:/bin; alias own='echo my own'\nPS1='mine> '\n")
    done = subprocess.run(
        command(suite, "shell"), cwd=ROOT, capture_output=True, text=True, check=False,
        input="echo \"$PS1\"\nwhich sam\nown\necho $AWS_ENDPOINT_URL\nexit 3\n", timeout=60,
        env={**os.environ, "HOME": str(tmp_path), "SHELL": "/bin/bash", "AWS_PROFILE": "production"},
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stdout.splitlines()[1:] == [
        "(suite) mine> ", str(ROOT / ".venv/tools/bin/sam"), "my own", suite.engine.endpoint,
    ]  # fmt: skip


def test_what_is_left_to_do_is_said_until_it_is_done(suite: Suite) -> None:
    make_people(suite)
    assert next_steps("suite-x", outputs_of(STACK, suite.client), suite.client) == []
    table, key = suite["AuthUsersTableName"], {"pk": {"S": "C#sign-on-page"}, "sk": {"S": "."}}
    suite.client("dynamodb").delete_item(TableName=table, Key=key)
    [step] = next_steps("suite-x", outputs_of(STACK, suite.client), suite.client)
    assert step.startswith("make clients STACK=suite-x DO=add-page ")
