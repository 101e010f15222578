"""The SAM CLI's own commands against the deployed stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import yaml

from local.deploy import STACK
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
    built = ROOT / ".aws-sam/local"
    functions = [folder for folder in built.iterdir() if folder.name.endswith("Function")]
    assert functions
    assert not [path for folder in functions for path in folder.rglob("*.pyc")]
    assert list((built / "SharedLayer").rglob("*.pyc"))  # layers have theirs by design


def test_built_template_has_no_merge_keys_and_no_aliases(suite: Suite) -> None:
    """What CloudFormation gets; template.yaml has both.

    "CloudFormation supports the YAML Version 1.1 specification with a few exceptions. CloudFormation doesn't
    support the following features: [...] Aliases, Hash merges",
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    """
    text = (ROOT / ".aws-sam/local/template.yaml").read_text()
    tokens = list(yaml.scan(text))
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]
    assert not [token for token in tokens if isinstance(token, yaml.ScalarToken) and token.value == "<<"]
    built, written = yaml.safe_load(text)["Resources"], source()["Resources"]
    assert list(built) == list(written)
    for name, resource in written.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert built[name] == resource, name


def test_pages_learn_the_addresses_and_nothing_private(suite: Suite) -> None:
    config = suite.http.get(f"{suite['WebUrl']}/config.json").json()
    assert config["ImagesWebsiteUrl"] == suite["ImagesWebsiteUrl"]
    assert not [name for name in config if name.endswith(("QueueUrl", "TopicArn"))]
