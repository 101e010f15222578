"""One line of an import: what it says.

    {"id": "4711", "email": "...", "email_verified": true, "phone": "...", "phone_verified": false,
     "password_hash": "...", "hash_scheme": "md5(salt.password)", "salt": "...",
     "profile": {"given_name": ...}, "company": "..."}

Needed are `id` (of the person in the system of origin) and `email`. `company` is the importing client's own
where it is left out, and may be another's only for a client whose company is `*`.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared import strict_json
from shared.http import BadRequestError

from ..credentials import legacy
from ..identity import Document, checked, normalise_email, origin_key
from ..services import Records
from ..storage import Alias

__all__ = ["MAX_LINE_BYTES", "Line", "account_id", "numbered", "read"]

MAX_LINE_BYTES = 16_384
_BLANKS = b" \t\r"
_LONGEST_NAME = 100  # of a company, and of a person in its system
_STRINGS = {"id", "email", "phone", "password_hash", "hash_scheme", "salt", "company"}
_FLAGS = {"email_verified", "phone_verified"}


@dataclass(frozen=True)
class Line:
    """A line.

    Attributes:
        account: The id of the account that it makes if it joins none.
        document: What it says of the person.
        email: The alias of the address.
        phone: The alias of the phone number; None for none.
    """

    account: str
    document: Document
    email: Alias
    phone: Alias | None

    @property
    def cost(self) -> int:
        """What its legacy hash costs (see `legacy.total_cost`); 0 for none."""
        return legacy.total_cost(self.document.old_hashes().values())


def numbered(body: bytes, before: int = 0) -> Iterator[tuple[int, bytes]]:
    """The lines of a part that are not blank, with their numbers in the file.

    Args:
        body: The part, of whole lines.
        before: Lines of the file before it.
    """
    for number, line in enumerate(body.split(b"\n"), before + 1):
        if line.strip(_BLANKS):
            yield number, line


def read(records: Records, text: bytes, own_company: str) -> Line:
    """Read a line.

    Args:
        records: The records.
        text: The line, without its end.
        own_company: The company of the importing client, or `*` for any.

    Raises:
        BadRequestError: The line says something that cannot be.
    """
    members = _members(text)
    company = members.get("company", own_company)
    if company == "*" or not 0 < len(company) <= _LONGEST_NAME:
        raise BadRequestError("bad_field", "company is missing or too long.")
    if own_company not in ("*", company):
        raise BadRequestError("other_company", "The line is another company's.")
    profile = members.get("profile", {})
    if not isinstance(profile, dict):
        raise BadRequestError("bad_field", "profile is not an object.")
    phone = {"phone": members["phone"]} if "phone" in members else {}
    origin = origin_key(company, members["id"])
    fields: dict[str, Any] = {
        "email": normalise_email(members.get("email", "")),
        "email_verified": members.get("email_verified", False),
        **checked(profile | phone),
    }
    if phone:
        fields["phone_verified"] = members.get("phone_verified", False)
    if "password_hash" in members:
        fields[f"old_hash.{origin}"] = legacy.wrap(
            members["password_hash"], scheme=members.get("hash_scheme"), salt=members.get("salt")
        )
    document = Document()
    # Older than whatever is written here: the line may come in two regions, and be edited in one meanwhile.
    document.edit(fields, 0, records.region)
    document.edit({"imported": True, f"company_id.{origin}": True}, records.now_ms, records.region)
    return Line(
        account_id(records, company, members["id"]),
        document,
        records.alias("email", document["email"]),
        records.alias("phone", document["phone"]) if phone else None,
    )


def account_id(records: Records, company: str, person: str) -> str:
    """The id of an account that an import makes, derived: the same line always makes the same account.

    Args:
        records: The records.
        company: The company.
        person: The id of the person in its system.
    """
    message = f"import\0{company}\0{person}".encode()
    mac = hmac.digest(records.keyring.blind_index_key(), message, "sha256")
    return str(UUID(bytes=mac[:16], version=4))


def _members(text: bytes) -> dict[str, Any]:
    """The members of a line, each of its kind.

    Raises:
        BadRequestError: It is no object of members that are known.
    """
    if len(text) > MAX_LINE_BYTES:
        raise BadRequestError("line_too_long", "A line has at most 16 KiB.")
    try:
        members = strict_json.parse(text)
    except ValueError as error:
        raise BadRequestError("bad_json", "The line is not valid JSON.") from error
    if not isinstance(members, dict) or not strict_json.is_shallow(members):
        raise BadRequestError("bad_json", "The line is not an object, or nested too deeply.")
    if set(members) - _STRINGS - _FLAGS - {"profile"}:
        raise BadRequestError("unknown_field", "The line has a member that is not known.")
    if any(not isinstance(members[name], str) for name in _STRINGS & set(members)):
        raise BadRequestError("bad_field", "A member of the line is not a text.")
    if any(not isinstance(members[name], bool) for name in _FLAGS & set(members)):
        raise BadRequestError("bad_field", "A member of the line is neither true nor false.")
    if not 0 < len(members.get("id", "")) <= _LONGEST_NAME:
        raise BadRequestError("bad_field", "id is missing or too long.")
    return members
