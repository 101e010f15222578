"""Put the pages and their configuration where browsers find them; the same on AWS and on the local engine.

``python -m local.publish STACK`` after a ``sam deploy``: uploads ``web/`` and the sample pictures, and writes
``config.json``, from which pages learn the addresses of the APIs.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from local.process import ROOT

__all__ = ["outputs_of", "publish"]

type Client = Callable[[str], Any]

WEB = ROOT / "web"
SAMPLES = WEB / "images/samples"
PICTURES = {".jpg", ".png", ".gif", ".webp", ".avif"}
# Every output but these is public: pages need no queue, topic, state machine or search server.
_PRIVATE = ("QueueUrl", "TopicArn", "StateMachineArn", "ClusterNames", "SearchUrl")


def outputs_of(stack: str, client: Client) -> dict[str, str]:
    """Return the outputs of a deployed stack by name."""
    description = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}


def samples() -> list[Path]:
    """Return the sample pictures that the repository carries."""
    return sorted(path for path in SAMPLES.iterdir() if path.suffix in PICTURES)


def publish(outputs: dict[str, str], client: Client) -> int:
    """Upload the pages, ``config.json`` and the sample pictures; return how many objects were written.

    Args:
        outputs: The stack's outputs.
        client: Gives the boto3 client of a service: ``boto3.client``, or an engine's.
    """
    s3 = client("s3")
    written = 0
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and not path.is_relative_to(SAMPLES):
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            # Pages are small and may change at any deployment; a browser asks whether they did.
            s3.put_object(
                Bucket=outputs["WebBucketName"], Key=path.relative_to(WEB).as_posix(), Body=path.read_bytes(),
                ContentType=kind, CacheControl="no-cache",
            )  # fmt: skip
            written += 1
    config = {name: value for name, value in outputs.items() if not name.endswith(_PRIVATE)}
    config_text = json.dumps({**config, "ImageSamples": [path.name for path in samples()]}, indent=2)
    s3.put_object(
        Bucket=outputs["WebBucketName"], Key="config.json", Body=config_text.encode(),
        ContentType="application/json", CacheControl="no-cache",
    )  # fmt: skip
    written += 1
    if "ImagesBucketName" in outputs:
        for path in samples():
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            s3.put_object(
                Bucket=outputs["ImagesBucketName"], Key=path.name, Body=path.read_bytes(), ContentType=kind
            )
            written += 1
    return written


def main() -> None:
    """Publish for the stack named on the command line."""
    parser = argparse.ArgumentParser(prog="local.publish", description=__doc__)
    parser.add_argument("stack", help="name of the deployed stack")
    client: Any = boto3.client
    outputs = outputs_of(parser.parse_args().stack, client)
    print(f"{publish(outputs, client)} objects published; pages: {outputs['WebUrl']}/")


if __name__ == "__main__":
    main()
