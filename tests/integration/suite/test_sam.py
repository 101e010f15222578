"""The SAM CLI's own commands against the deployed stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import yaml

from local.deploy import STACK, built
from local.engine_process import aws_environment
from local.suite import Suite
from ops.paths import ROOT
from ops.template import source


def test_sam_remote_invoke_runs_a_deployed_function(suite: Suite) -> None:
    event = ROOT / "events/image_resizer/resize_missing_original.json"
    done = subprocess.run(
        [sys.executable, "-m", "samcli", "remote", "invoke", "ResizeFunction", "--stack-name", STACK,
         "--event-file", str(event)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **aws_environment(suite.engine.endpoint), "SAM_CLI_TELEMETRY": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "original_not_found")


def test_built_functions_carry_no_bytecode(suite: Suite) -> None:
    with built():  # which another test may be building
        folders = list((ROOT / ".aws-sam/local").iterdir())
        compiled = {folder.name: list(folder.rglob("*.pyc")) for folder in folders}
    functions = [name for name in compiled if name.endswith("Function")]
    assert functions
    assert not [path for name in functions for path in compiled[name]]
    assert compiled["SharedLayer"]  # layers have theirs by design


def test_built_template_has_no_merge_keys_and_no_aliases(suite: Suite) -> None:
    """What CloudFormation gets; template.yaml has both.

    "CloudFormation supports the YAML Version 1.1 specification with a few exceptions. CloudFormation doesn't
    support the following features: [...] Aliases, Hash merges",
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    """
    with built():
        text = (ROOT / ".aws-sam/local/template.yaml").read_text()
    tokens = list(yaml.scan(text))
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]
    assert not [token for token in tokens if isinstance(token, yaml.ScalarToken) and token.value == "<<"]
    made, written = yaml.safe_load(text)["Resources"], source()["Resources"]
    assert list(made) == list(written)
    for name, resource in written.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert made[name] == resource, name


def test_pages_learn_the_addresses_and_nothing_private(suite: Suite) -> None:
    config = suite.http.get(f"{suite['WebUrl']}/config.json").json()
    assert config["ImagesWebsiteUrl"] == suite["ImagesWebsiteUrl"]
    assert not [name for name in config if name.endswith(("QueueUrl", "TopicArn"))]
