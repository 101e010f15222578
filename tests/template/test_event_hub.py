"""The hub's door and documents: what the template gives to them, and what their code counts on."""

from __future__ import annotations

from dataclasses import fields

import pytest

from event_hub.documents import libreoffice, worker
from event_hub.documents.settings import DocumentSettings
from event_hub.door_settings import DoorSettings
from event_hub.sns_certificates import TIMEOUT_S
from ops.template import deployed

IMAGE = {"HubDocumentsImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/documents:1"}
DOCUMENTS = [("HubDocumentsFunction", {}), ("HubDocumentsImageFunction", IMAGE)]


def variables(function: str, parameters: dict[str, str] | None = None) -> dict[str, str]:
    found: dict[str, str] = (
        deployed(parameters or {}).resources[function].properties["Environment"]["Variables"]
    )
    return found


def test_on_aws_certificates_come_by_https_alone() -> None:
    """The setting that chooses the loader for the local engine is not there."""
    assert "SNS_ENDPOINT" not in variables("HubDoorFunction")
    assert variables("HubDoorFunction", {"Target": "local"})["SNS_ENDPOINT"].startswith("http://")


def test_door_outlasts_the_fetching_of_a_certificate() -> None:
    timeout = deployed({}).resources["HubDoorFunction"].properties["Timeout"]
    assert 3 * TIMEOUT_S < timeout < 29, "API Gateway waits 29 s"


@pytest.mark.parametrize(("function", "parameters"), DOCUMENTS)
def test_documents_function_has_room_for_libreoffice(function: str, parameters: dict[str, str]) -> None:
    properties = deployed(parameters).resources[function].properties
    assert properties["Timeout"] > libreoffice.TIMEOUT_S + worker.RESERVE_S
    assert properties["MemorySize"] * 2**20 > libreoffice.MAX_MEMORY_BYTES + 300 * 2**20


@pytest.mark.parametrize(("function", "parameters"), DOCUMENTS)
def test_documents_function_has_its_settings(function: str, parameters: dict[str, str]) -> None:
    names = {field.name.upper() for field in fields(DocumentSettings)}
    given = {name for name in variables(function, parameters) if not name.startswith("POWERTOOLS_")}
    assert {"INPUT_BUCKET", "OUTPUT_BUCKET", "DEAD_LETTER_QUEUE_URL"} <= given <= names


def test_door_has_its_settings() -> None:
    names = {field.name.upper() for field in fields(DoorSettings)}
    given = {name for name in variables("HubDoorFunction") if not name.startswith("POWERTOOLS_")}
    assert given == names - {"SNS_ENDPOINT"}


def test_one_way_of_encoding_is_deployed_at_a_time() -> None:
    zipped, image = (set(deployed(parameters).resources) for parameters in ({}, IMAGE))
    assert ("HubDocumentsFunction" in zipped, "HubDocumentsImageFunction" in zipped) == (True, False)
    assert ("HubDocumentsFunction" in image, "HubDocumentsImageFunction" in image) == (False, True)
