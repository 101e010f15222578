"""What identifies a person, and what is known of them: identifiers, the document of fields, its clock."""

from ._clock import milliseconds, tick
from ._documents import Document, origin_key
from ._epochs import new_epoch
from ._fields import PROFILE, checked
from ._identifiers import Kind, blind_index, normalise_email, normalise_phone
from ._merging import shared_identifier, taken_over

__all__ = [
    "PROFILE",
    "Document",
    "Kind",
    "blind_index",
    "checked",
    "milliseconds",
    "new_epoch",
    "normalise_email",
    "normalise_phone",
    "origin_key",
    "shared_identifier",
    "taken_over",
    "tick",
]
