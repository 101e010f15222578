"""The other region: its table and its key, found by what its stack says of itself.

Each region's stack writes the SSM parameter `/<stack>/auth/region`, JSON `{"table", "key"}`, which the other
one reads when it runs: stacks that named each other's resources in their parameters could not be created.
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.clients import client_elsewhere
from shared.envelope import Envelope, TamperedError
from shared.http import BusyError

from ..identity import Document
from ..storage import Store, User

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

__all__ = ["Peer", "connect"]

_LOOK_AGAIN_S = 300
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
        self.store.users.get("probe")  # this region may read accounts and identifiers there, nothing else

    def probe_key(self) -> None:
        """Wrap and unwrap something.

        Raises:
            EnvelopeError: KMS does not answer, or refuses.
        """
        self.envelope.probe(_PROBE)


def connect(region: str, parameter: str) -> Callable[[], Peer]:
    """What finds the other region, and looks again every five minutes where it has gone.

    Args:
        region: The other region.
        parameter: Name of the parameter there.

    Returns:
        Gives the peer; raises BusyError if its parameter cannot be read.
    """
    ssm: SSMClient = client_elsewhere("ssm", region=region)
    found: list[tuple[float, Peer]] = []

    def find() -> Peer:
        if not found or time.time() - found[0][0] > _LOOK_AGAIN_S:
            try:
                named: dict[str, Any] = json.loads(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
            except (BotoCoreError, ClientError) as error:
                if not found:
                    raise BusyError("peer_unknown", f"The stack in {region} cannot be found.") from error
                return found[0][1]
            store = Store.elsewhere(named["table"], region)
            envelope = Envelope(client_elsewhere("kms", region=region), named["key"], region)
            found[:] = [(time.time(), Peer(store, envelope))]
        return found[0][1]

    return find
