"""A stack's name that cannot be deployed is refused in one sentence."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ops.names import LIMITS, longest_stack_name, problems_of_stack_name, refusal
from ops.paths import ROOT


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Suite-dev", "has a character that is neither"),
        ("suite_dev", "has a character that is neither"),
        ("1suite", "does not begin with a letter"),
        ("my-aws-suite", "contains aws, amazon or cognito"),
        ("amazon-suite", "contains aws, amazon or cognito"),
        ("ssm-suite", "begins with ssm or aws"),
        ("s" * 40, "has 40 characters"),
    ],
)
def test_refusal_gives_reason_and_rule(name: str, reason: str) -> None:
    told = refusal(name, "eu-west-1", {})
    assert told.startswith(f"the stack name '{name}' {reason}")
    assert f"at most {longest_stack_name('eu-west-1', {})} characters in eu-west-1" in told
    assert not re.search(r"\d{12}", told)


def test_longest_name_is_the_longest() -> None:
    for region in ("eu-west-1", "ap-northeast-1"):
        most = longest_stack_name(region, {})
        assert refusal("s" * most, region, {}) == ""
        assert refusal("s" * (most + 1), region, {}) != ""


def test_fault_beside_the_name_is_told_by_logical_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, "AWS::Cognito::UserPoolDomain", (63, "x+"))
    assert refusal("suite-dev", "eu-west-1", {}) == (
        "the stack name 'suite-dev' would give names that services do not take to "
        "UserPoolDomain, VisitorsUserPoolDomain"
    )


@pytest.mark.parametrize("name", ["ssm-suite", "SSM-suite"])
def test_parameters_of_ssm_have_names_of_their_own(name: str) -> None:
    found = problems_of_stack_name(name, "eu-west-1", {})
    assert any("AWS::SSM::Parameter" in problem for problem in found)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ("local", "[local] is not for AWS (its Target is not aws)"),
        ("stagging", "no environment 'stagging'"),
    ],
)
def test_environment_that_is_not_for_aws_is_refused(environment: str, says: str) -> None:
    command = [sys.executable, "-m", "ops.names", environment, "--region", "eu-west-1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert says in line
