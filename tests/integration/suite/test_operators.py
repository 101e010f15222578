"""Who gets in at the operators' APIs: members of the group alone, and strangers cannot become one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from local import run as local_run
from local.clients.person import PersonAt
from local.clients.sign_on import Form, Visitor
from local.deploy import STACK
from local.engine_process import aws_environment
from local.suite import Suite
from ops.auth_clients import register_page
from ops.paths import ROOT

EMAIL = "colleague@example.org"


def run(suite: Suite, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as on a stack on AWS, with the region in AWS_REGION alone."""
    environment = os.environ | aws_environment(suite.engine.endpoint)
    del environment["AWS_DEFAULT_REGION"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


def operators(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as `make operator` does."""
    return run(suite, sys.executable, "-m", "ops.operators", *arguments)


@pytest.fixture
def nobody(suite: Suite) -> Iterator[None]:
    """No account of EMAIL, before and after."""
    yield
    people = suite.client("cognito-idp")
    people.admin_delete_user(UserPoolId=suite["UserPoolId"], Username=EMAIL)


def test_a_stranger_cannot_sign_up(suite: Suite) -> None:
    with pytest.raises(ClientError) as refused:
        suite.client("cognito-idp").sign_up(
            ClientId=suite["UserPoolClientId"],
            Username="stranger@example.org",
            Password="Correct-horse-battery-9",
        )
    assert refused.value.response["Error"]["Code"] == "NotAuthorizedException"


@pytest.mark.parametrize(
    "panel", ["live", "top_viewers", "containers", "ec2_calls", "top_posters", "no_such_panel"]
)
def test_who_is_signed_in_but_no_operator_is_told_nothing(suite: Suite, panel: str) -> None:
    answer = PersonAt(suite, "no-operator@example.org", operator=False).get(panel)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert set(answer.json()) == {"code", "message"}


def test_an_operator_is_made_and_unmade_by_the_command(suite: Suite, nobody: None) -> None:
    made = operators(suite, STACK, EMAIL)
    page = f"{suite['WebUrl']}/insights/"
    assert made.stdout == f"{EMAIL} is an operator of {page}; Cognito has mailed an invitation\n", made.stderr
    assert PersonAt(suite, EMAIL, operator=False).get("live").status_code == 200
    again = operators(suite, STACK, EMAIL)
    assert (again.returncode, "invitation" in again.stdout) == (0, False)
    unmade = operators(suite, STACK, EMAIL, "--remove")
    assert (unmade.returncode, "no longer an operator" in unmade.stdout) == (0, True), unmade.stderr
    assert PersonAt(suite, EMAIL, operator=False).get("live").status_code == 403


def test_who_never_signed_in_is_invited_again(suite: Suite, nobody: None) -> None:
    operators(suite, STACK, EMAIL)
    mailed = invitations(suite)
    assert mailed > 0
    again = operators(suite, STACK, EMAIL)
    assert (again.returncode, "mailed another invitation" in again.stdout) == (0, True), again.stderr
    assert invitations(suite) == mailed + 1
    assert PersonAt(suite, EMAIL, operator=False).get("live").status_code == 200
    assert operators(suite, STACK, EMAIL).returncode == 0
    assert invitations(suite) == mailed + 1, "somebody who has signed in is invited"


def invitations(suite: Suite) -> int:
    """How many invitations were mailed to EMAIL."""
    told = suite.http.get(f"{suite.engine.endpoint}/_ministack/ses/messages").json()["messages"]
    return sum(EMAIL in message["To"] for messages in told.values() for message in messages)


def test_make_operator_takes_an_apostrophe(suite: Suite) -> None:
    email = "o'brien@example.org"
    made = run(suite, "make", "operator", f"STACK={STACK}", f"EMAIL={email}", "REMOVE=0")
    assert made.stdout.startswith(f"{email} is an operator"), made.stderr
    people, pool = suite.client("cognito-idp"), suite["UserPoolId"]
    groups = people.admin_list_groups_for_user(UserPoolId=pool, Username=email)["Groups"]
    assert [group["GroupName"] for group in groups] == ["operators"]
    people.admin_delete_user(UserPoolId=pool, Username=email)


@pytest.fixture
def foreign(suite: Suite) -> Iterator[str]:
    """A stack that is not this suite's."""
    formation = suite.client("cloudformation")
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    formation.create_stack(StackName="foreign", TemplateBody=json.dumps(template))
    formation.get_waiter("stack_create_complete").wait(StackName="foreign", WaiterConfig={"Delay": 1})
    yield "foreign"
    formation.delete_stack(StackName="foreign")


@pytest.mark.parametrize(
    ("module", "arguments", "output"),
    [
        ("ops.operators", ("STACK", EMAIL), "UserPoolId"),
        ("ops.auth_clients", ("--stack", "STACK", "list"), "AuthUsersTableName"),
        ("ops.redrive", ("--stack", "STACK"), "SocialDeadLetterQueueUrl"),
        ("ops.replicate", ("--stack", "STACK"), "AuthUsersTableName"),
        ("ops.publish", ("STACK",), "WebBucketName"),
    ],
)
def test_output_that_is_missing_is_one_line(
    suite: Suite, foreign: str, module: str, arguments: tuple[str, ...], output: str
) -> None:
    words = [foreign if word == "STACK" else word for word in arguments]
    done = run(suite, sys.executable, "-m", module, *words)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert f"foreign has no output {output}" in line


def test_accounts_of_one_region_are_sent_nowhere(suite: Suite) -> None:
    done = run(suite, sys.executable, "-m", "ops.replicate", "--stack", STACK)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "this stack has one region" in line


def test_make_clients_registers_and_removes(suite: Suite) -> None:
    def clients(command: str) -> subprocess.CompletedProcess[str]:
        return run(suite, "make", "clients", f"STACK={STACK}", f"DO={command}")

    added = clients('add made-here --company shop --title "The Shop" --redirect-uri https://shop.example/')
    assert (added.returncode, added.stdout) == (
        0,
        "registered for single sign-on; it needs no API key\n",
    ), added.stderr
    assert "made-here" in clients("list").stdout
    assert clients("remove made-here").stdout == "made-here is removed\n"
    assert "made-here" not in clients("list").stdout


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("add made-here --company shop --title Shop --key no-such-file.pem", "[Errno 2] No such file"),
        ("remove nobody", "there is no client 'nobody'"),
        ("add-key nobody README.md", "there is no client 'nobody'"),
        ("remove-key sign-on-page k9", "sign-on-page has no key 'k9'; it has none"),
    ],
)
def test_what_clients_cannot_do_is_one_line(suite: Suite, command: str, says: str) -> None:
    register_page(suite.client, suite.outputs)
    done = run(suite, "make", "clients", f"STACK={STACK}", f"DO={command}")
    assert (done.returncode, done.stdout) == (2, "")
    [line, _] = done.stderr.splitlines()  # and make's own
    assert line.startswith(f"nothing is changed: {says}")


def test_add_page_registers_the_page_once(suite: Suite) -> None:
    told = [run(suite, "make", "clients", f"STACK={STACK}", "DO=add-page").stdout for _ in range(2)]
    assert told == [f"{suite['WebUrl']}/auth/ is registered as sign-on-page\n"] * 2
    listed = run(suite, "make", "clients", f"STACK={STACK}", "DO=list").stdout
    assert listed.count("sign-on-page ") == 1
    visitor = Visitor(suite)
    asked = {
        "response_type": "code", "client_id": "sign-on-page", "redirect_uri": f"{suite['WebUrl']}/auth/",
        "scope": "openid", "state": "s", "nonce": "n", "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }  # fmt: skip
    page = visitor.open(asked)
    assert page.status_code == 200
    assert Form(page).names == ["email", "password"]


# What would lead a command to a real account, or nowhere.
NOWHERE = "http://127.0.0.1:9"
CALLERS_OWN = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    **{f"AWS_ENDPOINT_URL_{name}": NOWHERE for name in ("CLOUDFORMATION", "DYNAMODB", "SQS", "LAMBDA")},
}


@pytest.mark.parametrize("callers_own", [{}, CALLERS_OWN], ids=["nothing set", "a profile set"])
@pytest.mark.parametrize(
    "command", [("ops.auth_clients", "list"), ("ops.redrive",)], ids=lambda words: words[0]
)
def test_commands_without_a_stack_find_the_engine(
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    callers_own: dict[str, str],
) -> None:
    monkeypatch.setattr(local_run, "STATE", suite.engine.directory)
    monkeypatch.setattr(sys, "argv", ["local.run", *command])
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in callers_own.items():
        monkeypatch.setenv(name, value)
    assert local_run.main() == 0, capfd.readouterr().err
    capfd.readouterr()
    monkeypatch.setattr(local_run, "STATE", suite.engine.directory / "nowhere")
    assert local_run.main() == 1
    assert capfd.readouterr().err == "The engine is down. `make up` starts it.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((STACK, "nobody@example.org", "--remove"), "no account"),
        (("no-such-stack", EMAIL), "no-such-stack"),
        ((STACK, "no address"), "is not an e-mail address"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(suite: Suite, arguments: tuple[str, ...], says: str) -> None:
    done = operators(suite, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
