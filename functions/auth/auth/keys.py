"""Makes the system's own secrets at deployment, and renews the signing keys afterwards.

Trigger: CloudFormation custom resource `AuthKeys`; a daily schedule, and one of every five minutes.
Input: CloudFormation's event, or `{"rotate": true}` of the daily schedule (`{"rotate": "now"}` of an operator
    who wants a new key now), or `{"mirror": true}` of the other one, on which the other region's public keys
    are copied to this one.
Output: of a rotation `{"made", "removed", "signing_keys"}`, lists of keys' ids, the last one being all that
    are good now, the newest last; of a copy `{"peer_keys"}`, likewise. Secrets are wrapped by KMS in SSM
    parameters (see `tokens`). The key of the blind indexes is copied from the other region if that has one:
    accounts have one index everywhere. CloudFormation is told the id of that key, `BlindIndex`, by which the
    regions compare theirs.
On failure: CloudFormation is told, and rolls back; before that, a refusal is tried again for half a minute,
    as a new role is not known everywhere at once ("eventually consistent",
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html). A failed rotation is tried again,
    ends in the dead-letter queue, whose alarm fires. Old keys stay good meanwhile. Where both regions have a
    blind-index key and they differ, the deployment fails, and each rotation, once it is done. While the other
    region does not answer, only a stack that has no blind-index key yet cannot be deployed, and the copy of
    its public keys stays as it is; a copy that is refused ends as a rotation does.
Idempotent: a secret that is there is never replaced; a signing key is added only when the newest is old. Of
    two rotations at once one is refused, and tried again, by a lease in the users table (SSM has no
    conditional write).
    Deleting the stack leaves the secrets: without them no account could be found again.
Recorded event: events/auth/keys_rotate.json
"""

import json
import time
from functools import partial
from typing import Any, Literal
from urllib.request import Request, urlopen

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.clients import client, client_elsewhere
from shared.events import ForeignEventError

from .settings import RotationSettings
from .storage import LostRaceError, Store
from .tokens import (
    PURPOSES,
    SIGNING,
    Entry,
    PeerKeys,
    Purpose,
    copied_secret,
    make_secret,
    next_signing_keys,
    peer_keys_name,
    published_keys,
    read_peer_keys,
)

__all__ = ["handler"]

logger = Logger()

_DAY_S = 86_400
_LEASE, _LEASE_S = "rotation", 90  # longer than the function can run (template.yaml: 60 s)
_WAITS_S = (1, 2, 4, 8, 16)  # between tries while a fresh role spreads; less than the function's time-out


class RotationRunsError(Exception):
    """Another rotation runs now; later this one may."""


class OtherRegionError(Exception):
    """This region cannot be one with the other one, or not now; says why."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]] | None:
    """Make what is missing; renew what is old."""
    if isinstance(event, dict) and event.get("rotate") in (True, "now"):
        return _rotate(now=event["rotate"] == "now")
    if isinstance(event, dict) and event.get("mirror") is True:
        return _mirror(RotationSettings.from_env())
    if not isinstance(event, dict) or "RequestType" not in event:
        raise ForeignEventError("expected a custom resource's request, rotate, or mirror")
    made: dict[str, str] = {}
    try:
        if event["RequestType"] != "Delete":
            made["BlindIndex"] = _make_missing_patiently()
    except OtherRegionError as error:
        logger.warning("secrets not made", reason=str(error))
        _tell(event, context, str(error))
    except Exception as error:
        logger.exception("secrets could not be made")
        _tell(event, context, f"{type(error).__name__}: see the log {context.log_stream_name}")
    else:
        _tell(event, context, None, made)
    return None


def _make_missing_patiently() -> str:
    for wait in _WAITS_S:
        try:
            return _make_missing()
        except ClientError as error:
            if "AccessDenied" not in error.response["Error"]["Code"]:
                raise
            logger.info("refused, the role may be new", wait_s=wait)
            time.sleep(wait)
    return _make_missing()


def _make_missing() -> str:
    """Make what is missing; the id of the blind-index key."""
    settings = RotationSettings.from_env()
    ssm, kms = client("ssm"), client("kms")
    theirs = None
    try:
        theirs = _blind_index_elsewhere(settings)
    except OtherRegionError as error:
        if not _has_blind_index(settings):
            raise
        logger.warning("blind-index keys not compared", reason=str(error))
    for purpose in PURPOSES:
        if purpose == "blind-index" and theirs is not None:
            entry = copied_secret(*theirs, (kms, settings.kms_key))
        else:
            entry = make_secret(kms, settings.kms_key, purpose, int(time.time()))
        try:
            _put(settings.secrets, purpose, [entry], overwrite=False)
        except ssm.exceptions.ParameterAlreadyExists:
            logger.info("secret kept", purpose=purpose)
        else:
            logger.info("secret made", purpose=purpose, id=entry["id"])
    if theirs is not None:
        _require_same(settings, theirs[0])
    _mirror(settings)
    return str(_read(settings.secrets, "blind-index")[-1]["id"])


def _has_blind_index(settings: RotationSettings) -> bool:
    try:
        _read(settings.secrets, "blind-index")
    except client("ssm").exceptions.ParameterNotFound:
        return False
    return True


type _Elsewhere = tuple[Entry, Literal["blind-index"], tuple[Any, str]]


def _blind_index_elsewhere(settings: RotationSettings) -> _Elsewhere | None:
    """The other region's blind-index key, and what unwraps it; None if there is no such region or stack.

    Raises:
        OtherRegionError: It does not answer.
        ClientError: It refuses.
    """
    if not settings.peer_region:
        return None
    ssm = client_elsewhere("ssm", region=settings.peer_region)
    try:
        named = json.loads(ssm.get_parameter(Name=settings.region_parameter)["Parameter"]["Value"])
        held = ssm.get_parameter(Name=f"{named['secrets']}/blind-index")["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    except (BotoCoreError, ClientError) as error:
        if not _may_pass(error):
            raise
        raise OtherRegionError(
            f"{settings.peer_region} does not answer, so that its blind-index key cannot be looked at."
        ) from error
    kms = client_elsewhere("kms", region=settings.peer_region)
    return _entries(held)[-1], "blind-index", (kms, named["key"])


def _require_same(settings: RotationSettings, theirs: Entry) -> None:
    """Compare the blind-index key with the other region's.

    Raises:
        OtherRegionError: They differ: the same address would have two indexes.
    """
    if _read(settings.secrets, "blind-index")[-1]["id"] != theirs["id"]:
        raise OtherRegionError(
            f"This region and {settings.peer_region} each made a blind-index key, and find no account of "
            "the other: one of the two stacks has to be made anew (docs/auth_regions.md)."
        )


def _rotate(*, now: bool) -> dict[str, list[str]]:
    """Renew what is old, alone: of two that read and write one parameter, one would lose the other's key."""
    settings = RotationSettings.from_env()
    store = Store.connect(settings.table)
    try:
        store.commit(store.leases.take(_LEASE, _LEASE_S))
    except LostRaceError as error:
        raise RotationRunsError("another rotation runs; this one is tried again") from error
    try:
        renewed = _renewed(settings, now=now)
    finally:
        store.commit(store.leases.give_back(_LEASE))
    try:
        theirs = _blind_index_elsewhere(settings)
    except OtherRegionError as error:
        logger.warning("blind-index keys not compared", reason=str(error))
    else:
        if theirs is not None:
            _require_same(settings, theirs[0])
    return renewed


def _renewed(settings: RotationSettings, *, now: bool) -> dict[str, list[str]]:
    before: list[str] = []
    after: list[str] = []
    for purpose in SIGNING:
        keys = _read(settings.secrets, purpose)
        life_s = 0 if now else settings.signing_key_days * _DAY_S
        make = partial(make_secret, client("kms"), settings.kms_key, purpose)
        renewed = next_signing_keys(keys, make, int(time.time()), life_s)
        if renewed != keys:
            _put(settings.secrets, purpose, renewed, overwrite=True)
        before += [key["id"] for key in keys]
        after += [key["id"] for key in renewed]
    logger.info("signing keys", before=before, after=after)
    return {
        "made": [each for each in after if each not in before],
        "removed": [each for each in before if each not in after],
        "signing_keys": after,
    }


def _mirror(settings: RotationSettings) -> dict[str, list[str]]:
    """Copy the other region's public keys to where this region's functions find them; where there is no other
    region any more, none.

    Raises:
        ClientError: The other region refuses, for good.
    """
    ssm = client("ssm")
    known = read_peer_keys(ssm, settings.secrets)
    keys = _keys_elsewhere(settings, known) if settings.peer_region else {}
    if keys != known:
        value = json.dumps(keys, separators=(",", ":"))
        ssm.put_parameter(Name=peer_keys_name(settings.secrets), Value=value, Type="String", Overwrite=True)
    names = [jwk["kid"] for purpose in SIGNING for jwk in keys.get(purpose, ())]
    logger.info("the other region's keys", keys=names)
    return {"peer_keys": names}


def _keys_elsewhere(settings: RotationSettings, known: PeerKeys) -> PeerKeys:
    """The other region's public keys; those that are known, while it does not answer."""
    elsewhere = client_elsewhere("ssm", region=settings.peer_region)
    try:
        named = json.loads(elsewhere.get_parameter(Name=settings.region_parameter)["Parameter"]["Value"])
        return published_keys(elsewhere, named["secrets"])
    except (BotoCoreError, ClientError) as error:
        if not _may_pass(error):
            raise
        logger.warning("the other region's keys cannot be read now", reason=str(error))
    return known


def _may_pass(error: BotoCoreError | ClientError) -> bool:
    """Whether a region is out, or too busy, or has no stack yet; what it refuses, it will refuse again."""
    if not isinstance(error, ClientError):
        return True
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= 500 or error.response["Error"]["Code"] in ("ParameterNotFound", "ThrottlingException")


def _read(prefix: str, purpose: Purpose) -> list[Entry]:
    return _entries(client("ssm").get_parameter(Name=f"{prefix}/{purpose}")["Parameter"]["Value"])


def _entries(value: str) -> list[Entry]:
    entries: list[Entry] = json.loads(value)["keys"]
    return entries


def _put(prefix: str, purpose: Purpose, keys: list[Entry], *, overwrite: bool) -> None:
    value = json.dumps({"keys": keys}, separators=(",", ":"))
    client("ssm").put_parameter(Name=f"{prefix}/{purpose}", Value=value, Type="String", Overwrite=overwrite)


def _tell(
    event: dict[str, Any], context: LambdaContext, reason: str | None, made: dict[str, str] | None = None
) -> None:
    """Answer CloudFormation at the address that it gave, with what `Fn::GetAtt` gives of the resource."""
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason or "",
        "Data": made or {},
        "PhysicalResourceId": event.get("PhysicalResourceId") or f"{context.function_name}-secrets",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    address = event["ResponseURL"]
    if not address.startswith(("https://", "http://")):
        raise ValueError("CloudFormation's address is not HTTP")
    request = Request(address, json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urlopen(request, timeout=10):  # noqa: S310
        pass
