"""Systems Manager: commands on instances, as ListCommands and the invocations show them; own documents."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from tests.integration.engine.answers import only, refusal
from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

SCRIPT = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["curl -s localhost/warm"]}}
DOCUMENT = {
    "schemaVersion": "2.2",
    "parameters": {"keys": {"type": "String"}, "depth": {"type": "String", "default": "1"}},
    "mainSteps": [
        {"action": "aws:runShellScript", "name": "warm", "inputs": {"runCommand": ["warm {{keys}}"]}}
    ],
}


def _instance(cloud: Cloud, **tags: str) -> str:
    answer = cloud.client("ec2").run_instances(
        ImageId="ami-12345678", MinCount=1, MaxCount=1,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": f"engine:{key.replace('_', '-')}", "Value": tags[key]} for key in tags],
            }
        ],
    )  # fmt: skip
    return str(answer["Instances"][0]["InstanceId"])


def _invocations(cloud: Cloud, command: str) -> list[dict[str, Any]]:
    answer = cloud.client("ssm").list_command_invocations(CommandId=command, Details=True)
    return list(answer["CommandInvocations"])


def test_a_command_on_an_instance_succeeds_and_is_recorded(cloud: Cloud) -> None:
    ssm, instance = cloud.client("ssm"), _instance(cloud)
    command = ssm.send_command(InstanceIds=[instance], Comment="warm", **SCRIPT)["Command"]["CommandId"]
    row = awaited(
        cloud, lambda: [each for each in _invocations(cloud, command) if each["Status"] == "Success"]
    )[0]
    assert (row["InstanceId"], row["Comment"]) == (instance, "warm")
    assert only(row["CommandPlugins"])["ResponseCode"] == 0
    found = ssm.get_command_invocation(CommandId=command, InstanceId=instance)
    assert (found["Status"], found["ResponseCode"]) == ("Success", 0)
    sent = only(ssm.list_commands(InstanceId=instance)["Commands"])
    assert sent["Parameters"] == SCRIPT["Parameters"]


def test_commands_that_fail_say_so(cloud: Cloud) -> None:
    ssm, instance = cloud.client("ssm"), _instance(cloud, ssm_response_code="3")
    command = ssm.send_command(InstanceIds=[instance], **SCRIPT)["Command"]["CommandId"]

    def ended() -> list[dict[str, Any]]:
        return [each for each in _invocations(cloud, command) if each["Status"] == "Failed"]

    assert only(awaited(cloud, ended)[0]["CommandPlugins"])["ResponseCode"] == 3


def test_an_instance_is_refused_until_its_agent_has_registered(cloud: Cloud) -> None:
    """API_SendCommand, InvalidInstanceId: "SSM Agent isn't registered with the SSM endpoint"."""
    ssm, instance = cloud.client("ssm"), _instance(cloud, ssm_registers_after="30")
    send = partial(ssm.send_command, **SCRIPT)
    words = f"Instances [[{instance}]] not in a valid state for account {cloud.account}"
    assert refusal(send, InstanceIds=[instance]) == f"InvalidInstanceId: {words}"
    awaited(cloud, lambda: refusal(send, InstanceIds=[instance]) == "")


def test_unknown_and_terminated_instances_are_refused_beside_good_ones(cloud: Cloud) -> None:
    ssm, good, gone = cloud.client("ssm"), _instance(cloud), _instance(cloud)
    cloud.client("ec2").terminate_instances(InstanceIds=[gone])
    send = partial(ssm.send_command, **SCRIPT)
    assert refusal(send, InstanceIds=[good]) == ""
    for bad in (gone, "i-0123456789abcdef0"):
        assert refusal(send, InstanceIds=[good, bad]).startswith(f"InvalidInstanceId: Instances [[{bad}]]")
    assert refusal(send, InstanceIds=[good, good]).startswith("DuplicateInstanceId")


def test_a_document_of_ones_own_takes_its_parameters_alone(cloud: Cloud) -> None:
    """API_SendCommand, InvalidParameters: "You can only supply values to parameters defined"."""
    ssm, name, instance = cloud.client("ssm"), cloud.name("warm"), _instance(cloud)
    ssm.create_document(Name=name, Content=json.dumps(DOCUMENT), DocumentType="Command")
    send = partial(ssm.send_command, DocumentName=name, InstanceIds=[instance])
    assert refusal(send, Parameters={"keys": ["a"]}) == ""
    assert refusal(send, Parameters={"keys": ["a"], "depth": ["2"]}) == ""
    assert refusal(send).startswith("InvalidParameters")
    assert refusal(send, Parameters={"keys": ["a"], "other": ["b"]}).startswith("InvalidParameters")
    ssm.delete_document(Name=name)
    assert refusal(send, Parameters={"keys": ["a"]}).startswith("InvalidDocument:")


def test_documents_are_described_and_refused_twice(cloud: Cloud) -> None:
    ssm, name = cloud.client("ssm"), cloud.name("warm")
    content = json.dumps(DOCUMENT)
    create = partial(ssm.create_document, Name=name, DocumentType="Command")
    assert refusal(create, Content="{}").startswith("InvalidDocumentContent")
    assert refusal(create, Content=content) == ""
    assert refusal(create, Content=content).startswith("DocumentAlreadyExists")
    assert ssm.get_document(Name=name)["Content"] == content
    assert ssm.describe_document(Name=name)["Document"]["Status"] == "Active"


def test_a_template_makes_a_document(cloud: Cloud) -> None:
    resource = {"Type": "AWS::SSM::Document", "Properties": {"Content": DOCUMENT, "DocumentType": "Command"}}
    outputs = {"Name": {"Value": {"Ref": "Document"}}}
    stack = cloud.deploy({"Resources": {"Document": resource}, "Outputs": outputs})
    found = cloud.client("ssm").get_document(Name=stack["Name"])
    assert json.loads(found["Content"]) == DOCUMENT
    cloud.client("cloudformation").delete_stack(StackName=stack["StackName"])
    describe = cloud.client("ssm").describe_document
    awaited(cloud, lambda: refusal(describe, Name=stack["Name"]).startswith("InvalidDocument"))
