"""What identifies a person, and what is known of them: identifiers, the document of fields, its clock."""

from ._clock import milliseconds, tick
from ._documents import Document, factor_key, origin_key
from ._epochs import joined_epoch, new_epoch
from ._fields import PROFILE, checked
from ._identifiers import Kind, blind_index, normalise_email, normalise_phone
from ._mailboxes import known_addresses, replaced_address
from ._merging import joined_addresses, shared_identifier
from ._recoveries import RECOVERY_GOOD_S, Recovery, recovery_of

__all__ = [
    "PROFILE",
    "RECOVERY_GOOD_S",
    "Document",
    "Kind",
    "Recovery",
    "blind_index",
    "checked",
    "factor_key",
    "joined_addresses",
    "joined_epoch",
    "known_addresses",
    "milliseconds",
    "new_epoch",
    "normalise_email",
    "normalise_phone",
    "origin_key",
    "recovery_of",
    "replaced_address",
    "shared_identifier",
    "tick",
]
