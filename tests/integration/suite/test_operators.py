"""Who gets in at the operators' APIs: members of the group alone, and strangers cannot become one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from local.deploy import STACK
from local.person import PersonAt
from local.process import ROOT, aws_environment
from local.suite import Suite

EMAIL = "colleague@example.org"


def operators(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as `make operator` does."""
    return subprocess.run(
        [sys.executable, "-m", "ops.operators", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **aws_environment(suite.engine.endpoint)},
    )  # fmt: skip


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
    assert (made.returncode, "invitation" in made.stdout) == (0, True), made.stderr
    assert PersonAt(suite, EMAIL, operator=False).get("live").status_code == 200
    again = operators(suite, STACK, EMAIL)
    assert (again.returncode, "invitation" in again.stdout) == (0, False)
    unmade = operators(suite, STACK, EMAIL, "--remove")
    assert (unmade.returncode, "no operator any more" in unmade.stdout) == (0, True), unmade.stderr
    assert PersonAt(suite, EMAIL, operator=False).get("live").status_code == 403


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((STACK, "nobody@example.org", "--remove"), "no account"), (("no-such-stack", EMAIL), "no-such-stack")],
)
def test_what_cannot_be_done_is_said_in_one_line(suite: Suite, arguments: tuple[str, ...], says: str) -> None:
    done = operators(suite, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
