"""Jobs of mails: in the queue before what they tell of is written, and sent by `deliver` once it is.

So nothing is written without its mail, and no mail goes out for what was not written. The queue is encrypted,
and a job holds no personal data.
"""

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.http import BusyError

from .services import Services
from .storage import NoticeKind, User, Write

__all__ = ["enqueue", "notify"]


def enqueue(services: Services, job: dict[str, Any]) -> None:
    """Put a job into the queue.

    Raises:
        BusyError: The queue does not take it.
    """
    try:
        services.queue.send_message(QueueUrl=services.settings.mail_queue, MessageBody=json.dumps(job))
    except (BotoCoreError, ClientError) as error:
        raise BusyError("busy", "The mail cannot be sent now; try again in a moment.") from error


def notify(
    services: Services, kind: NoticeKind, user: User, client_id: str, entry: Write, *indexes: str
) -> None:
    """Tell a person of an entry of their trail; to be called before it is written.

    Args:
        services: The services.
        kind: What happened.
        user: The person.
        client_id: By which company or application.
        entry: The entry; the mail goes out once it is written.
        indexes: Blind indexes of the addresses; the main one if there are none.

    Raises:
        BusyError: The queue does not take it.
    """
    name = services.store.audit.name_of(entry)
    for index in dict.fromkeys(indexes or (user.email_index,)):
        if index:
            job = {"kind": kind, "user": user.id, "index": index, "client": client_id, "trail": name}
            enqueue(services, job)
