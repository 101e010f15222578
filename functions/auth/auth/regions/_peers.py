"""The other region: its table and its key, found by what its stack says of itself.

Each region's stack writes the SSM parameter `/<stack>/auth/region`, JSON `{"table", "key", "peer",
"blind_index"}`, which the other one reads when it runs: stacks that named each other's resources in their
parameters could not be created. Nothing is sent to a region that names another one as its peer, or whose
blind indexes are made by another key: there an address would have two.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared.clients import client_elsewhere
from shared.envelope import Envelope, TamperedError
from shared.http import BusyError

from ..identity import Document
from ..storage import Store, User

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

__all__ = ["Peer", "connect"]

logger = Logger()

_LOOK_AGAIN_S = 300
# A region that answers slowly is one that is out: between the farthest two a packet takes about 0.3 s there
# and back. A call in vain costs 3 s at most, of the 55 that a batch has.
_CONNECT_S, _READ_S = 1.0, 2.0
_PROBE = {"secret": "probe"}


class Peer:
    """The other region.

    Args:
        store: Its users table.
        envelope: Of its key.
    """

    def __init__(self, store: Store, envelope: Envelope) -> None:
        self.store, self.envelope = store, envelope

    def open(self, user: User) -> Document:
        """The document of a record of the other region, by its key.

        Raises:
            EnvelopeError: KMS does not answer, or refuses, or the record has no document.
        """
        if user.sealed is None:
            raise TamperedError("the record has no document")
        return Document.from_bytes(self.envelope.decrypt(user.sealed, user.context))

    def probe_table(self) -> None:
        """Read something.

        Raises:
            BusyError: The table does not answer.
        """
        self.store.users.get("probe")  # of a partition that this region's roles reach there

    def probe_key(self) -> None:
        """Wrap and unwrap something.

        Raises:
            EnvelopeError: KMS does not answer, or refuses.
        """
        self.envelope.probe(_PROBE)


def connect(region: str, parameter: str, here: str, blind_index: str) -> Callable[[], Peer]:
    """What finds the other region, and looks again every five minutes where it has gone.

    Args:
        region: The other region.
        parameter: Name of the parameter there.
        here: This region.
        blind_index: Id of this region's blind-index key.

    Returns:
        Gives the peer; raises BusyError if its parameter cannot be read, or says that the two are no pair.
    """
    elsewhere = partial(client_elsewhere, region=region, connect_timeout=_CONNECT_S, read_timeout=_READ_S)
    ssm: SSMClient = elsewhere("ssm")
    found: list[tuple[float, Peer]] = []

    def find() -> Peer:
        known = next(iter(found), None)  # other threads may look at the same time
        if known is not None and time.time() - known[0] <= _LOOK_AGAIN_S:
            return known[1]
        try:
            named: dict[str, Any] = json.loads(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code in ("ParameterNotFound", "AccessDeniedException"):  # the stack that was known is gone
                found.clear()
            if not found or known is None:
                raise BusyError("peer_unknown", f"The stack in {region} cannot be found.") from error
            return known[1]
        if reason := _why_no_pair(named, region, here, blind_index):
            found.clear()
            logger.warning("nothing is replicated", reason=reason)
            raise BusyError("no_pair", reason)
        store = Store.elsewhere(named["table"], elsewhere)
        peer = Peer(store, Envelope(elsewhere("kms"), named["key"], region))
        found[:] = [(time.time(), peer)]
        return peer

    return find


def _why_no_pair(named: dict[str, Any], region: str, here: str, blind_index: str) -> str:
    if named.get("peer") != here:
        return f"the stack in {region} has another AuthPeerRegion than {here}: {named.get('peer') or 'none'}"
    if named.get("blind_index") != blind_index:
        return f"the blind-index keys differ, that of {region} and that of {here}"
    return ""
