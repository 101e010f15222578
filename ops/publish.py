"""Put the pages and their configuration where browsers find them; the same on AWS and on the local engine.

``python -m ops.publish STACK`` after a ``sam deploy``: uploads ``web/`` and the sample pictures, and writes
``config.json``, from which pages learn the addresses of the APIs, and ``portal/apis/<name>.json``, an
OpenAPI document of each. A sample is uploaded where there is nothing, or in the place of an earlier one: an
original of somebody's that has a sample's name stays.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from ops.api_documents import api_documents
from ops.paths import ROOT
from ops.stacks import Client, clients, outputs_of, reported

__all__ = ["publish"]

WEB = ROOT / "web"
SAMPLES = WEB / "images/samples"
PICTURES = {".jpg", ".png", ".gif", ".webp", ".avif"}
# Every output but these is public: pages need no queue, topic, state machine or search server.
_PRIVATE = ("QueueUrl", "TopicArn", "StateMachineArn", "ClusterNames", "SearchUrl")


def samples() -> list[Path]:
    """Return the sample pictures that the repository carries."""
    return sorted(path for path in SAMPLES.iterdir() if path.suffix in PICTURES)


def publish(outputs: dict[str, str], client: Client) -> int:
    """Upload pages, ``config.json``, APIs' documents, samples; return how many objects were written.

    Args:
        outputs: The stack's outputs.
        client: Gives the boto3 client of a service.
    """
    s3 = client("s3")
    written = 0
    origins = _origins(outputs)
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and not path.is_relative_to(SAMPLES):
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            # Pages are small and may change at any deployment; a browser asks whether they did.
            s3.put_object(
                Bucket=outputs["WebBucketName"], Key=path.relative_to(WEB).as_posix(),
                Body=_page(path, origins), ContentType=kind, CacheControl="no-cache",
            )  # fmt: skip
            written += 1
    documents = api_documents(outputs)
    config = _public(outputs) | {
        "ImageSamples": [path.name for path in samples()],
        "ApiDocuments": list(documents),
    }
    made = {"config.json": config} | {f"portal/apis/{name}.json": each for name, each in documents.items()}
    for key, content in made.items():
        s3.put_object(
            Bucket=outputs["WebBucketName"], Key=key, Body=json.dumps(content, indent=2).encode(),
            ContentType="application/json", CacheControl="no-cache",
        )  # fmt: skip
        written += 1
    if "ImagesBucketName" in outputs:
        written += sum(_publish_sample(s3, outputs["ImagesBucketName"], path) for path in samples())
    return written


def _public(outputs: dict[str, str]) -> dict[str, str]:
    """The outputs that pages may know."""
    return {name: value for name, value in outputs.items() if not name.endswith(_PRIVATE)}


def _origins(outputs: dict[str, str]) -> dict[str, str]:
    """What pages may ask, by the placeholder in their content security policies."""
    origins = {
        name: "{0.scheme}://{0.netloc}".format(urlsplit(value))
        for name, value in _public(outputs).items()
        if name.endswith("Url") and name != "WebUrl"
    }
    images = {origin for name, origin in origins.items() if name.startswith("Images")}
    return {"%APIS%": " ".join(sorted(set(origins.values()))), "%IMAGES%": " ".join(sorted(images))}


def _page(path: Path, origins: dict[str, str]) -> bytes:
    """A file as it is published: a page's content security policy names the deployment's own APIs."""
    content = path.read_bytes()
    if path.suffix == ".html":
        for placeholder, names in origins.items():
            content = content.replace(placeholder.encode(), names.encode())
    return content


def _publish_sample(s3: Any, bucket: str, path: Path) -> bool:
    """Upload a sample where there is nothing or an earlier one; return whether it was uploaded."""
    mark = {"sample": path.name}  # a copy has it, too, but another name
    try:
        found = s3.head_object(Bucket=bucket, Key=path.name)
        condition = {"IfMatch": found["ETag"]}
        if found["Metadata"].get("sample") != path.name:
            return False
    except ClientError as error:
        if _status(error) != 404:
            raise
        condition = {"IfNoneMatch": "*"}
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        s3.put_object(
            Bucket=bucket, Key=path.name, Body=path.read_bytes(), ContentType=kind, Metadata=mark, **condition
        )
    except ClientError as error:
        if _status(error) not in (404, 409, 412):
            raise
        return False  # somebody put or deleted an object there just now
    return True


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


@reported
def main() -> int:
    """Publish for the stack named on the command line; its exit status."""
    parser = argparse.ArgumentParser(prog="ops.publish", description=__doc__)
    parser.add_argument("stack", help="name of the deployed stack")
    parser.add_argument("--region", help="AWS_REGION or the profile's by default")
    arguments = parser.parse_args()
    client = clients(arguments.region)
    outputs = outputs_of(arguments.stack, client)
    print(f"{publish(outputs, client)} objects published; pages: {outputs['WebUrl']}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
