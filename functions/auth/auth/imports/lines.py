"""One line of an import: what it says, and what becomes of it.

    {"id": "4711", "email": "...", "email_verified": true, "phone": "...", "phone_verified": false,
     "password_hash": "...", "hash_scheme": "md5(salt.password)", "salt": "...",
     "profile": {"given_name": ...}, "company": "..."}

Needed are `id` (of the person in the system of origin) and `email`. `company` is the importing client's own
where it is left out, and may be another's only for a client whose company is `*`. What becomes of a line:

    created    nobody had the address; or somebody had it unverified, and lost it to this verified one
    merged     an account has the address, verified on both: the line's password and profile join it
    conflict   an account has the address, and it is not verified on both: the line becomes an account without
               a log-in, which a merge can join later
    already    the line was imported before
    refused    the line says something that cannot be; `code` names it
"""

import hmac
from typing import Any
from uuid import UUID

from shared import strict_json
from shared.http import BadRequestError, BusyError, PermanentHttpError

from ..credentials import legacy
from ..identity import Document, checked, normalise_email, shared_identifier, taken_over
from ..services import Records
from ..storage import Alias, DryRunClaim, LineResult, LostRaceError, User, UserStatus, Write

__all__ = ["MAX_LINE_BYTES", "Importer"]

MAX_LINE_BYTES = 16_384
_TRIES = 4
_STRINGS = {"id", "email", "phone", "password_hash", "hash_scheme", "salt", "company"}
_FLAGS = {"email_verified", "phone_verified"}


class Importer:
    """Imports the lines of one job.

    Args:
        records: The records.
        job: The job.
        company: The company of the importing client, or `*` for any.
        dry_run: Change nothing; duplicates within the job are found all the same.
    """

    def __init__(self, records: Records, job: str, company: str, *, dry_run: bool) -> None:
        self._records, self._job, self._company, self._dry_run = records, job, company, dry_run

    def take(self, line: bytes) -> dict[str, Any]:
        """Import a line; `result`, and `code`, `user_id` or `with` where there is such a thing.

        Raises:
            BusyError: Not now.
        """
        try:
            company, origin, document = self._read(line)
            for _ in range(_TRIES):
                try:
                    return self._settle(company, origin, document)
                except LostRaceError:
                    continue
        except PermanentHttpError as error:
            return {"result": "refused", "code": error.code}
        raise BusyError("busy", "An account is being changed right now.")

    def _read(self, line: bytes) -> tuple[str, str, Document]:
        members = _members(line)
        company = members.get("company", self._company)
        if company == "*":
            raise BadRequestError("bad_field", "company is missing.")
        if company != self._company and self._company != "*":
            raise BadRequestError("other_company", "The line is another company's.")
        profile = members.get("profile", {})
        if not isinstance(profile, dict):
            raise BadRequestError("bad_field", "profile is not an object.")
        phone = {"phone": members["phone"]} if "phone" in members else {}
        fields: dict[str, Any] = {
            "email": normalise_email(members.get("email", "")),
            "email_verified": members.get("email_verified", False),
            f"company.{company}": {"id": members["id"]},
            **checked(profile | phone),
        }
        if phone:
            fields["phone_verified"] = members.get("phone_verified", False)
        if "password_hash" in members:
            fields[f"old_hash.{company}"] = legacy.wrap(
                members["password_hash"], scheme=members.get("hash_scheme"), salt=members.get("salt")
            )
        document = Document()
        document.edit(fields, self._records.now_ms, self._records.region)
        return company, members["id"], document

    def _settle(self, company: str, origin: str, document: Document) -> dict[str, Any]:
        store, alias = self._records.store, self._records.alias("email", document["email"])
        user_id = self._id(company, origin)
        known = store.users.get(user_id)
        if known is not None:
            return {"result": "already", "user_id": known.merged_into or known.id}
        owner_id = store.aliases.owner(alias)
        if owner_id is None:
            return self._create(user_id, document, alias)
        owner = self._records.find(owner_id)
        theirs = self._records.open(owner)
        if theirs[f"company.{company}"] == {"id": origin}:
            return {"result": "already", "user_id": owner.id}
        if shared_identifier(theirs, document) == "email":
            return self._join(owner, theirs, document)
        if document["email_verified"] and not theirs["email_verified"]:
            return self._create(user_id, document, alias, owner, theirs)
        return self._create_conflict(user_id, document, alias, owner)

    def _id(self, company: str, origin: str) -> str:
        """The account's id, derived: the same line always makes the same account."""
        message = f"import\0{company}\0{origin}".encode()
        return str(
            UUID(
                bytes=hmac.digest(self._records.keyring.blind_index_key(), message, "sha256")[:16], version=4
            )
        )

    def _create(
        self,
        user_id: str,
        document: Document,
        alias: Alias,
        loser: User | None = None,
        losers: Document | None = None,
    ) -> dict[str, Any]:
        """A new account that gets the alias, from the account that loses it if there is one."""
        records = self._records
        if self._dry_run:
            return self._pretend(user_id, document, alias)
        phone, writes = self._new(user_id, "active", document, alias)
        writes.append(records.store.aliases.claim(alias, user_id, held_by=loser.id if loser else None))
        if document["phone_verified"] and records.store.aliases.owner(phone) is None:
            writes.append(records.store.aliases.claim(phone, user_id))
        if loser is not None and losers is not None:
            _, demoted = records.close(loser, loser.but(status="conflict", epoch=records.new_epoch()), losers)
            writes.append(demoted)
        records.store.commit(*writes)
        if loser is not None:
            records.store.commit_each(records.store.users.delete_belongings(loser.id))
        return {"result": "created", "user_id": user_id} | ({"with": loser.id} if loser else {})

    def _create_conflict(self, user_id: str, document: Document, alias: Alias, owner: User) -> dict[str, Any]:
        """A new account without a log-in, since the alias stays its owner's."""
        if not self._dry_run:
            _, writes = self._new(user_id, "conflict", document, alias)
            self._records.store.commit(*writes)
        return {"result": "conflict", "user_id": user_id, "with": owner.id}

    def _new(
        self, user_id: str, status: UserStatus, document: Document, alias: Alias
    ) -> tuple[Alias, list[Write]]:
        """The alias of the phone number, and the writes of a new account."""
        records = self._records
        phone = Alias("phone", records.index("phone", document["phone"]) if document["phone"] else "")
        _, save = records.close(None, User(user_id, status, None, alias.index, phone.index), document)
        return phone, [save, records.store.audit.add(user_id, "import", self._company)]

    def _join(self, owner: User, theirs: Document, document: Document) -> dict[str, Any]:
        outcome = {"result": "merged", "user_id": owner.id}
        if self._dry_run:
            return outcome
        records = self._records
        theirs.edit(taken_over(theirs, document, ""), records.now_ms, records.region)
        phone = Alias("phone", records.index("phone", theirs["phone"]) if theirs["phone"] else "")
        _, save = records.close(owner, owner.but(phone_index=phone.index), theirs)
        writes = [save, records.store.audit.add(owner.id, "import_merge", self._company)]
        if theirs["phone_verified"] and records.store.aliases.owner(phone) is None:
            writes.append(records.store.aliases.claim(phone, owner.id))
        records.store.commit(*writes)
        return outcome

    def _pretend(self, user_id: str, document: Document, alias: Alias) -> dict[str, Any]:
        """What would become of a new account, with regard to what the job would have made before it."""
        store = self._records.store
        claim = DryRunClaim(user_id, verified=bool(document["email_verified"]))
        try:
            store.commit(store.dry_runs.create(self._job, alias, claim))
        except LostRaceError:
            first = store.dry_runs.get(self._job, alias)
            if first is None:
                raise
            if first.user != user_id:
                return {"result": _pretended(claim, first), "with": first.user}
        return {"result": "created", "user_id": user_id}


def _pretended(claim: DryRunClaim, first: DryRunClaim) -> LineResult:
    """What would become of a line whose address another line of the job would have got first."""
    if not claim.verified:
        return "conflict"
    return "merged" if first.verified else "created"


def _members(line: bytes) -> dict[str, Any]:
    """The members of a line, each of its kind.

    Raises:
        BadRequestError: It is no object of members that are known.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadRequestError("line_too_long", "A line has at most 16 KiB.")
    try:
        members = strict_json.parse(line)
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
    if not 0 < len(members.get("id", "")) <= 100:
        raise BadRequestError("bad_field", "id is missing or too long.")
    return members
