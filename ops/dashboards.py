"""``make dashboards STACK=...``: put index template and dashboards of EC2's calls on an OpenSearch domain.

Works on a stack on AWS that has ``EnableOpenSearch``, with the caller's credentials, which sign each request.
The template goes to the domain, the saved objects of ``dashboards/ec2_monitor/`` to its OpenSearch
Dashboards. Doing it again replaces both by themselves.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from typing import Any

from ops.paths import ROOT
from ops.stacks import CommandError, clients, outputs_of, region_of, reported
from shared.signed_http import Answer, SignedHttp, UnreachableError

__all__ = ["OBJECTS", "TEMPLATE", "RefusedError", "import_objects", "put_template"]

FOLDER = ROOT / "dashboards/ec2_monitor"
TEMPLATE = FOLDER / "index_template.json"
OBJECTS = FOLDER / "dashboard.ndjson"


class RefusedError(RuntimeError):
    """The domain did not take it; says what, and why as far as it told."""


def put_template(domain: SignedHttp) -> None:
    """Put the template of the index ``log``; it holds for an index that is made afterwards.

    Raises:
        RefusedError: The domain did not take it.
        UnreachableError: There was no answer.
    """
    _taken("index template", domain.send("PUT", "/_template/log", TEMPLATE.read_bytes()))


def import_objects(domain: SignedHttp) -> int:
    """Import index pattern, visualizations, search and dashboard in place of those of the same ids; how many.

    Raises:
        RefusedError: OpenSearch Dashboards did not take one of them.
        UnreachableError: There was no answer.
    """
    boundary = secrets.token_hex(16)
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{OBJECTS.name}"\r\n'
        "Content-Type: application/x-ndjson\r\n\r\n"
    ).encode()
    answer = domain.send(
        "POST",
        "/_dashboards/api/saved_objects/_import",
        body + OBJECTS.read_bytes() + f"\r\n--{boundary}--\r\n".encode(),
        parameters={"overwrite": "true"},
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}", "osd-xsrf": "true"},
    )
    result = _taken("saved objects", answer)
    if not result.get("success"):
        wrong = [f"{each.get('type')} {each.get('id')}: {_kind(each)}" for each in result.get("errors", [])]
        raise RefusedError(f"saved objects: {'; '.join(wrong) or 'no success, and no reason'}")
    return int(result.get("successCount", 0))


def _taken(what: str, answer: Answer) -> dict[str, Any]:
    """The body of an answer, if it is a good one."""
    if answer.status in (401, 403):
        raise RefusedError(
            f"{what}: {answer.status}, whoever asks may not; allow es:ESHttpPut on the domain's "
            "_template/log and es:ESHttpPost on its _dashboards/*"
        )
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = None
    if answer.status != 200 or not isinstance(content, dict):
        raise RefusedError(f"{what}: {answer.status} {answer.body[:300].decode(errors='replace')}")
    return content


def _kind(error: dict[str, Any]) -> str:
    return str(error.get("error", {}).get("type", "no reason"))


@reported
def main() -> int:
    """Import for the stack named on the command line; its exit status."""
    parser = argparse.ArgumentParser(prog="ops.dashboards", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the deployed stack")
    parser.add_argument("--region", help="AWS_REGION or the profile's by default")
    arguments = parser.parse_args()
    region = region_of(arguments.region)
    outputs = outputs_of(arguments.stack, clients(region))
    if "Ec2SearchUrl" not in outputs:
        raise CommandError(
            f"{arguments.stack} has no OpenSearch domain: deploy it with EnableOpenSearch=true"
        )
    address = outputs["Ec2SearchUrl"]
    domain = SignedHttp(address, "es", region)
    try:
        put_template(domain)
        print(f"index template put; {import_objects(domain)} saved objects imported")
    except (RefusedError, UnreachableError) as error:
        raise CommandError(f"{type(error).__name__}: {error}") from error
    print(f"{address}/_dashboards/app/dashboards#/view/ec2-who-changes-what")
    return 0


if __name__ == "__main__":
    sys.exit(main())
