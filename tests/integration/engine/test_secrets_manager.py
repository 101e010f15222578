"""Secrets that CloudFormation generates, and random passwords: the same parameters, the same rules.

The classes of characters are those of GetRandomPassword's documentation; Python's ``string`` has the same.
"""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.support.cloud import Cloud

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
EVERYTHING = LOWER + UPPER + DIGITS + PUNCTUATION

# What is asked for; the length; of what the password may be; of each of which it has one.
WANTED: list[tuple[dict[str, Any], int, str, list[str]]] = [
    ({}, 32, EVERYTHING, [LOWER, UPPER, DIGITS, PUNCTUATION]),
    ({"ExcludePunctuation": True}, 32, LOWER + UPPER + DIGITS, [LOWER, UPPER, DIGITS]),
    ({"ExcludeNumbers": True, "PasswordLength": 40}, 40, LOWER + UPPER + PUNCTUATION, [LOWER, PUNCTUATION]),
    ({"ExcludeUppercase": True, "PasswordLength": 64}, 64, LOWER + DIGITS + PUNCTUATION, [LOWER, DIGITS]),
    ({"ExcludeLowercase": True, "PasswordLength": 64}, 64, UPPER + DIGITS + PUNCTUATION, [UPPER, DIGITS]),
    ({"ExcludePunctuation": True, "IncludeSpace": True}, 32, LOWER + UPPER + DIGITS + " ", [" ", LOWER]),
    (
        {"ExcludeCharacters": "abcxyz019\"@/\\'", "PasswordLength": 500},
        500,
        "".join(sorted(set(EVERYTHING) - set("abcxyz019\"@/\\'"))),
        [LOWER, UPPER, DIGITS, PUNCTUATION],
    ),
    ({"PasswordLength": 4}, 4, EVERYTHING, [LOWER, UPPER, DIGITS, PUNCTUATION]),
    (
        {
            "ExcludePunctuation": True,
            "ExcludeUppercase": True,
            "ExcludeNumbers": True,
            "PasswordLength": 4096,
        },
        4096,
        LOWER,
        [LOWER],
    ),
    (
        {"RequireEachIncludedType": False, "PasswordLength": 1, "ExcludeCharacters": EVERYTHING[1:]},
        1,
        EVERYTHING[0],
        [],
    ),
]


def _check(password: str, length: int, allowed: str, required: list[str]) -> None:
    assert len(password) == length
    assert set(password) <= set(allowed)
    assert all(set(password) & set(kind) for kind in required)


def _secrets(cloud: Cloud, *wanted: dict[str, Any]) -> list[str]:
    """Deploy a stack of secrets; their values."""
    resources = {
        f"Secret{number}": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"GenerateSecretString": each},
        }
        for number, each in enumerate(wanted)
    }
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Id"]}} for name in resources}
    stack = cloud.deploy({"Resources": resources, "Outputs": outputs})
    client = cloud.client("secretsmanager")
    return [client.get_secret_value(SecretId=stack[name])["SecretString"] for name in resources]


def test_generated_secrets_heed_all_parameters(cloud: Cloud) -> None:
    for _ in range(3):  # chance alone would do one of them right
        values = _secrets(cloud, *(wanted for wanted, *_ in WANTED))
        for value, (_, length, allowed, required) in zip(values, WANTED, strict=True):
            _check(value, length, allowed, required)


def test_generated_secrets_take_numbers_and_booleans_as_text(cloud: Cloud) -> None:
    [value] = _secrets(
        cloud, {"ExcludePunctuation": "true", "PasswordLength": "50", "ExcludeNumbers": "false"}
    )
    _check(value, 50, LOWER + UPPER + DIGITS, [LOWER, UPPER, DIGITS])


def test_generated_secrets_keep_their_template(cloud: Cloud) -> None:
    template = {"SecretStringTemplate": '{"username":"ada"}', "GenerateStringKey": "password"}
    [value] = _secrets(cloud, template | {"ExcludePunctuation": True})
    found = json.loads(value)
    assert found["username"] == "ada"
    _check(found.pop("password"), 32, LOWER + UPPER + DIGITS, [LOWER, UPPER, DIGITS])
    assert len(found) == 1


@pytest.mark.parametrize(
    "properties",
    [
        {"GenerateSecretString": {"PasswordLength": 4097}},
        {"GenerateSecretString": {"PasswordLength": 3}},
        {"GenerateSecretString": {"GenerateStringKey": "password"}},
        {"GenerateSecretString": {"SecretStringTemplate": "{}"}},
        {"GenerateSecretString": {"SecretStringTemplate": "no JSON", "GenerateStringKey": "password"}},
        {"GenerateSecretString": {"SecretStringTemplate": "[]", "GenerateStringKey": "password"}},
        {"GenerateSecretString": {}, "SecretString": "given"},
    ],
)
def test_wrong_wishes_fail_the_stack(cloud: Cloud, properties: dict[str, Any]) -> None:
    template = {"Resources": {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}}
    try:
        made = cloud.deploy(template)
    except WaiterError:
        made = {}
    assert not made


def test_a_changed_wish_makes_another_value(cloud: Cloud) -> None:
    def template(length: int) -> dict[str, Any]:
        properties = {"GenerateSecretString": {"PasswordLength": length, "ExcludePunctuation": True}}
        secret = {"Type": "AWS::SecretsManager::Secret", "Properties": properties}
        return {
            "Resources": {"Secret": secret},
            "Outputs": {"Id": {"Value": {"Fn::GetAtt": ["Secret", "Id"]}}},
        }

    stack = cloud.deploy(template(20))
    formation = cloud.client("cloudformation")
    formation.update_stack(StackName=stack["StackName"], TemplateBody=json.dumps(template(30)))
    formation.get_waiter("stack_update_complete").wait(
        StackName=stack["StackName"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    value = cloud.client("secretsmanager").get_secret_value(SecretId=stack["Id"])["SecretString"]
    _check(value, 30, LOWER + UPPER + DIGITS, [LOWER, UPPER, DIGITS])


@pytest.mark.ours_only
def test_random_passwords_heed_all_parameters(cloud: Cloud) -> None:
    client = cloud.client("secretsmanager")
    for wanted, length, allowed, required in WANTED:
        _check(client.get_random_password(**wanted)["RandomPassword"], length, allowed, required)
    for wrong in ({"PasswordLength": 3}, {"PasswordLength": 4097}, {"ExcludeCharacters": EVERYTHING}):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            client.get_random_password(**wrong)
