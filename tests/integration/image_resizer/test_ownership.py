"""People's objects survive whatever their names look like: resizing, replacing, deleting, invalidating."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from datagen.pictures import encode
from local.suite import Suite
from ops.publish import publish
from tests.conftest import Faults
from tests.support.waiting import wait_until

EVENTS = Path(__file__).parents[3] / "events/image_resizer"
EXPIRING = {"Key": "variant", "Value": "true"}
NAMES = (
    "728x90", "300x300", "300x300,webp", "300x300,contain,png", "300x", "x300", "25x25,avif", "0x0", "00x1",
    "x", "300x300,", "300x300,sepia", "300x300,s1.x", "99999x99999", "310x290", "300x300/300x300",
    "albums/300x300", "300x300/albums", "boxes", "1x1 für Ann", "300×300", "\u0663x\u0663", "300X300",
    "日本x富士",
)  # fmt: skip


@pytest.fixture
def name() -> str:
    return f"ä {uuid.uuid4().hex}.jpg"


class Objects:
    """The images bucket as its owner sees it."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._s3, self._bucket = suite.client("s3"), suite["ImagesBucketName"]

    def put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="image/jpeg")

    def put_variant(self, key: str) -> None:
        """Put what carries a variant's mark."""
        mark = {
            "variant-key-sha256": hashlib.sha256(key.encode()).hexdigest(),
            "original-etag": "of an earlier original",
        }
        self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=b"a variant", Metadata=mark, Tagging="variant=true"
        )

    def copy(self, source: str, key: str) -> None:
        self._s3.copy_object(Bucket=self._bucket, Key=key, CopySource={"Bucket": self._bucket, "Key": source})

    def delete(self, key: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=key)

    def bodies(self, ending: str) -> dict[str, bytes]:
        """All objects whose key ends so, with their content."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {
            key: self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            for key in keys
            if key.endswith(ending)
        }

    def holds(self, key: str) -> bool:
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key)
        return key in [item["Key"] for item in answer.get("Contents", [])]

    def tags(self, key: str) -> list[dict[str, str]]:
        tags: list[dict[str, str]] = self._s3.get_object_tagging(Bucket=self._bucket, Key=key)["TagSet"]
        return tags

    def is_kept(self, key: str) -> bool:
        return EXPIRING not in self.tags(key)

    def ask(self, key: str) -> int:
        """Ask the API for a variant."""
        answer = self._suite.http.get(
            f"{self._suite['ImagesApiUrl']}/resize?key={quote(key)}", allow_redirects=False
        )
        return answer.status_code


@pytest.fixture
def objects(suite: Suite) -> Objects:
    return Objects(suite)


def picture(shade: int) -> bytes:
    return encode(Image.new("RGB", (400, 300), (shade, 0, 0)), "JPEG")


def test_folders_named_like_sizes_belong_to_people(objects: Objects, name: str) -> None:
    theirs = {f"{folder}/{name}": f"a person's: {folder}".encode() for folder in NAMES}
    for key, body in theirs.items():
        objects.put(key, body)
    for shade in (50, 200):  # an original of that name comes, and is replaced
        objects.put(name, picture(shade))
        for key in theirs:
            assert objects.ask(key) in (301, 400, 403, 404, 409)
        assert objects.ask(f"300x300,inside/{name}") == 301
        assert objects.bodies(f"/{name}").items() >= theirs.items()
    objects.delete(name)
    made = f"300x300,inside/{name}"
    wait_until(lambda: not objects.holds(made), what="the variant of the deleted original to be deleted")
    assert objects.bodies(f"/{name}") == theirs


def test_a_copy_of_a_variant_is_a_persons(objects: Objects, name: str) -> None:
    objects.put(name, picture(50))
    variant = f"300x300/{name}"
    assert objects.ask(variant) == 301
    made = objects.bodies(variant)[variant]
    copies = [f"500x500/{name}", f"728x90/{name}", f"mine/300x300/{name}", f"mine {name}"]
    for key in copies:
        objects.copy(variant, key)
    for key in copies:
        wait_until(partial(objects.is_kept, key), what=f"{key} to lose the tag")
    assert objects.tags(variant) == [EXPIRING]
    assert objects.ask(f"500x500/{name}") == 409
    objects.delete(name)
    wait_until(lambda: not objects.holds(variant), what="the variant to be deleted")
    assert [objects.bodies(key)[key] for key in copies] == [made] * 4


def test_a_copy_that_was_moved_back_is_a_persons(objects: Objects, name: str) -> None:
    objects.put(name, picture(50))
    variant, sentinel, copy = f"300x300/{name}", f"300x/{name}", f"mine {name}"
    assert objects.ask(variant) == objects.ask(sentinel) == 301
    objects.copy(variant, copy)
    wait_until(partial(objects.is_kept, copy), what="the copy to lose the tag")
    objects.delete(variant)
    objects.copy(copy, variant)
    theirs = objects.bodies(variant)
    objects.put(name, picture(200))
    wait_until(lambda: not objects.holds(sentinel), what="the other variant to be deleted")
    assert objects.ask(variant) == 409
    assert objects.bodies(variant) == theirs


def test_a_stale_variant_goes_by_its_own_event(objects: Objects, faults: Faults, name: str) -> None:
    conflict = {"status": 409, "type": "ConditionalRequestConflict", "times": 1}
    faults.inject({"match": "s3.DeleteObject", "resource": "300x300/.*" + name[-12:], **conflict})
    variant = f"300x300/{name}"
    objects.put_variant(variant)  # there is no original, whose event could have it deleted
    wait_until(lambda: not objects.holds(variant), what="the stale variant to be deleted")
    assert faults.hits() == [1]


def test_what_replaces_a_variant_is_a_persons(objects: Objects, name: str) -> None:
    objects.put(name, picture(50))
    variant, sentinel = f"300x300/{name}", f"300x/{name}"
    assert objects.ask(variant) == 301
    assert objects.ask(sentinel) == 301
    objects.put(variant, b"a person's")
    assert objects.tags(variant) == []
    assert objects.ask(variant) == 409
    objects.put(name, picture(200))
    wait_until(lambda: not objects.holds(sentinel), what="the other variant to be deleted")
    assert objects.bodies(variant) == {variant: b"a person's"}


def racing(suite: Suite, faults: Faults, rule: dict[str, Any], begin: Callable[[], Any]) -> Iterator[Any]:
    """Begin what meets a rule that delays it, yield when it does, and wait for its end."""
    faults.inject({"delay": 1.0, "times": 1, **rule})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(begin)
        wait_until(lambda: faults.hits() == [1], what="the call that is delayed")
        yield running


@pytest.mark.parametrize("stale", [False, True], ids=["first", "replacement"])
def test_an_upload_during_a_write_survives(
    suite: Suite, objects: Objects, faults: Faults, name: str, stale: bool
) -> None:
    variant = f"300x300/{name}"
    objects.put(name, picture(50))
    if stale:  # its invalidation fails, so that it stays
        assert objects.ask(variant) == 301
        faults.inject({"match": "s3.DeleteObject", "status": 403, "type": "AccessDenied"})
        objects.put(name, picture(200))
        wait_until(lambda: sum(faults.hits()), what="the failed invalidation")
    rule = {"match": "s3.PutObject", "resource": "300x300/.*" + name[-12:]}
    for asked in racing(suite, faults, rule, lambda: objects.ask(variant)):
        objects.copy(name, variant)  # CopyObject is a PutObject for IAM, and not delayed here
        assert asked.result() == 409
    assert objects.bodies(variant)[variant] == picture(200 if stale else 50)


@pytest.fixture
def unheard(suite: Suite) -> Iterator[None]:
    """No event of the bucket reaches the function: it is invoked by the test alone."""
    events = suite.client("events")
    names = [rule["Name"] for rule in events.list_rules()["Rules"]]
    [rule] = [name for name in names if "InvalidateFunction" in name]
    events.disable_rule(Name=rule)
    yield
    events.enable_rule(Name=rule)


@pytest.mark.usefixtures("unheard")
def test_an_upload_during_an_invalidation_survives(
    suite: Suite, objects: Objects, faults: Faults, name: str
) -> None:
    variant, last = f"300x300/{name}", f"x300/{name}"
    for key in (variant, last):  # as if their original had been deleted
        objects.put_variant(key)
    event = json.loads((EVENTS / "invalidate_original_deleted.json").read_text())
    event["detail"] |= {"bucket": {"name": suite["ImagesBucketName"]}, "object": {"key": name}}
    rule = {"match": "s3.DeleteObject", "resource": "300x300/.*" + name[-12:]}
    for invoked in racing(suite, faults, rule, lambda: invoke(suite, "InvalidateFunction", event)):
        objects.put(variant, b"a person's")
        assert invoked.result() == {"deleted": 1, "kept": 0}
    assert objects.bodies(name) == {variant: b"a person's"}


def invoke(suite: Suite, part: str, event: dict[str, Any]) -> Any:
    """Invoke a function and return what it returned."""
    functions = suite.client("lambda")
    names = [listed["FunctionName"] for listed in functions.list_functions()["Functions"]]
    [function] = [listed for listed in names if part in listed]
    return json.load(functions.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"])


def test_publishing_leaves_originals_with_a_samples_name(suite: Suite, objects: Objects) -> None:
    sample = objects.bodies("blue_marble.jpg")["blue_marble.jpg"]
    try:
        objects.put("blue_marble.jpg", b"a person's")
        publish(suite.outputs, suite.engine.client)
        assert objects.bodies("blue_marble.jpg")["blue_marble.jpg"] == b"a person's"
        objects.copy("rocket.jpg", "blue_marble.jpg")
        publish(suite.outputs, suite.engine.client)
        copied = objects.bodies("blue_marble.jpg")["blue_marble.jpg"]
        assert copied == objects.bodies("rocket.jpg")["rocket.jpg"]
    finally:
        objects.delete("blue_marble.jpg")
        publish(suite.outputs, suite.engine.client)
    assert objects.bodies("blue_marble.jpg")["blue_marble.jpg"] == sample
