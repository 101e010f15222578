"""The environment of the functions of the auth application."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, positive_int

__all__ = [
    "AuthSettings",
    "DeliverSettings",
    "ImportFilesSettings",
    "ImportSettings",
    "KeySettings",
    "ReplicationSettings",
    "RotationSettings",
]


@dataclass(frozen=True)
class KeySettings(EnvSettings):
    """What every function needs to reach the records and the system's own secrets.

    Attributes:
        table: The users table.
        kms_key: ARN of this region's KMS key.
        aws_region: This region; set by Lambda itself.
        secrets: Prefix of the SSM parameters that hold the system's wrapped secrets, and its address.
    """

    table: str
    kms_key: str
    aws_region: str
    secrets: str


@dataclass(frozen=True)
class AuthSettings(KeySettings):
    """Settings of the API and of single sign-on.

    Attributes:
        mail_queue: URL of the queue of mails to be sent; empty where the function sends none.
        import_bucket: Where uploads of imports and files of exports go; empty where the function makes none.
        import_queue: URL of the queue of imports and exports; the same.
        issuer: The issuer that several regions share; empty: the API's own address is the issuer.
        access_token_seconds: Life of an access token, at most 900.
        refresh_idle_days: Days after which an unused refresh token dies.
        refresh_days: Days after which a session ends whatever happens.
        failure_floor_ms: A refused log-in takes this long, whatever the reason was: half as long again as the
            slowest hash (20 units of `legacy.MAX_COST`) at 25 ms a unit, for a processor that is shared.
        free_attempts: Failed log-ins of an identifier that cost no waiting.
        lock_attempts: Failed log-ins in a row that lock an identifier.
        lock_seconds: How long it is locked.
        client_failures: Failed log-ins of one client in a minute before it has to wait, where it does not say
            whose they are.
        visitor_failures: The same of one visitor.
        recovery_seconds: How long a delayed reset waits for the person to stop it.
        mails_per_hour: Mails that one identifier can cause in an hour.
        password_min: Shortest password of a person without a second factor.
        password_min_second_factor: The same with one.
    """

    mail_queue: str = ""
    import_bucket: str = ""
    import_queue: str = ""
    issuer: str = ""
    access_token_seconds: Annotated[int, positive_int] = 600
    refresh_idle_days: Annotated[int, positive_int] = 30
    refresh_days: Annotated[int, positive_int] = 90
    failure_floor_ms: Annotated[int, positive_int] = 750
    free_attempts: Annotated[int, positive_int] = 5
    lock_attempts: Annotated[int, positive_int] = 10
    lock_seconds: Annotated[int, positive_int] = 900
    client_failures: Annotated[int, positive_int] = 300
    visitor_failures: Annotated[int, positive_int] = 30
    recovery_seconds: Annotated[int, positive_int] = 86_400
    mails_per_hour: Annotated[int, positive_int] = 5
    password_min: Annotated[int, positive_int] = 15
    password_min_second_factor: Annotated[int, positive_int] = 8


@dataclass(frozen=True)
class RotationSettings(EnvSettings):
    """Settings of the function that makes secrets.

    Attributes:
        table: The users table, in which a rotation notes that it runs.
        kms_key: ARN of this region's KMS key.
        secrets: Prefix of the SSM parameters.
        signing_key_days: Days for which a signing key signs.
        peer_region: The other region; empty where there is one alone.
        region_parameter: Name of the SSM parameter there that names its key and its secrets.
    """

    table: str
    kms_key: str
    secrets: str
    signing_key_days: Annotated[int, positive_int] = 30
    peer_region: str = ""
    region_parameter: str = ""


@dataclass(frozen=True)
class ReplicationSettings(KeySettings):
    """Settings of the functions that replicate accounts.

    Attributes:
        peer_region: The other region.
        region_parameter: Name of the SSM parameter there that names its table and its key.
        blind_index: Id of this region's blind-index key.
        writes_queue: URL of the queue of what a table did not take.
        keys_queue: URL of the queue of what a key did not wrap.
        dead_letter_queue_url: Where goes what can never be sent.
    """

    peer_region: str
    region_parameter: str
    blind_index: str
    writes_queue: str
    keys_queue: str
    dead_letter_queue_url: str


@dataclass(frozen=True)
class DeliverSettings(KeySettings):
    """Settings of the function that sends mails.

    Attributes:
        dead_letter_queue_url: Where a message goes at once that no attempt will deliver.
        sender: Address of the sender, verified in SES; empty: mails go to the outbox.
        outbox: Table of mails that are not sent, on the local engine; empty: they are sent.
    """

    dead_letter_queue_url: str
    sender: str = ""
    outbox: str = ""


@dataclass(frozen=True)
class ImportSettings(KeySettings):
    """Settings of the function that imports accounts, and writes exports.

    Attributes:
        import_bucket: Where uploads and reports lie.
        import_queue: URL of the queue of uploads and their parts.
        dead_letter_queue_url: Where a message goes that nobody understands.
        part_lines: Lines that one invocation imports.
    """

    import_bucket: str
    import_queue: str
    dead_letter_queue_url: str
    part_lines: Annotated[int, positive_int] = 500


@dataclass(frozen=True)
class ImportFilesSettings(KeySettings):
    """Settings of the function that imports files of several companies.

    Attributes:
        import_bucket: Where files and reports lie.
        part_bytes: Bytes of a file that one invocation imports, about 2,000 lines: a minute or two.
    """

    import_bucket: str
    part_bytes: Annotated[int, positive_int] = 1 << 19
