"""Made-up people of several companies, with a known truth: who is the same person, and who only looks so.

The tests and the benchmark of imports share them. A file is what the import takes: a JSON object in each
line, some lines broken or blank. Some people are known to several companies, some twice to one, some lines
are there twice; addresses are verified or not, and spelled in capitals now and then.

The truth is counted from the lines alone, by brute force: two lines are one person if both have the same
address, verified (union-find), or if they are of one id of one company.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CompanyFiles", "Origin", "Result"]

type Origin = tuple[str, str]
"""A company, and an id of a person there."""

type Result = Literal["created", "merged", "conflict", "already", "refused"]

_NAMES = ("Ada", "Björk", "Chinedu", "Dolores", "Émile", "Fatima", "Grzegorz", "Hana", "Íñigo", "Jürgen")
_BROKEN = ('{"id": "1"', '{"id": "x", "email": "not an address"}', '{"email": "a@example.org"}', "[]")


@dataclass
class CompanyFiles:
    """Files of companies.

    Args:
        people: How many there are.
        companies: The companies' names, in the order in which their files are imported.
        tag: Part of all ids and addresses: another one makes other people.
        seed: The same one makes the same people.
        passwords: How many lines have a legacy hash.
        phones: Share of lines with a phone number, of a few that several have.
        unverified: Share of lines whose address is not verified.

    Attributes:
        files: Lines by company.
    """

    people: int
    companies: tuple[str, ...]
    tag: str
    seed: int = 1
    passwords: int = 0
    phones: float = 0.05
    unverified: float = 0.12
    files: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.files = {company: [] for company in self.companies}
        for number in range(self.people):
            known_to = self._random.choices((1, 2, 3), (6, 3, 1))[0]
            for company in self._random.sample(self.companies, min(known_to, len(self.companies))):
                for time in range(2 if self._random.random() < 0.03 else 1):
                    self._add(company, number, time)
        lines = [(company, place) for company in self.companies for place in range(len(self.files[company]))]
        for company, place in self._random.sample(lines, self.passwords):
            line = json.loads(self.files[company][place])
            line |= {"password_hash": hashlib.sha1(self.password_of(line).encode()).hexdigest()}  # noqa: S324
            self.files[company][place] = json.dumps(line | {"hash_scheme": "sha1"}, ensure_ascii=False)
        for file in self.files.values():
            again = self._random.sample(file, len(file) // 50)
            broken = self._random.choices(_BROKEN, k=len(file) // 100 + 1)
            file += [*again, *broken, "", " \r"]
            self._random.shuffle(file)

    @staticmethod
    def password_of(line: dict[str, Any]) -> str:
        """The password of a line that has a hash of it."""
        return f"correct horse battery {line['id']}"

    def _add(self, company: str, number: int, time: int) -> None:
        chance = self._random.random
        address = f"p{number}.{self.tag}@{'example.org' if number % 3 else 'mail.example.com'}"
        line: dict[str, Any] = {
            "id": f"{self.tag}-{number}-{time}",
            "email": address.upper() if chance() < 0.05 else address,
            "email_verified": chance() >= self.unverified,
            "profile": {"given_name": self._random.choice(_NAMES)},
        }
        if chance() < self.phones:
            digits = int(hashlib.sha256(f"{self.tag}{number // 4}".encode()).hexdigest(), 16) % 10**8
            line |= {"phone": f"+3519{digits:08}", "phone_verified": chance() < 0.7}
        self.files[company].append(json.dumps(line, ensure_ascii=False))

    def body(self, company: str) -> bytes:
        """A company's file."""
        return "\n".join(self.files[company]).encode()

    # ---- the truth

    def lines(self) -> list[tuple[str, int, dict[str, Any] | None]]:
        """Company, number and members of each line that is not blank, in order; None for a broken one."""
        return [
            (company, number, None if text in _BROKEN else json.loads(text))
            for company in self.companies
            for number, text in enumerate(self.files[company], 1)
            if text.strip()
        ]

    def persons(self) -> set[frozenset[Origin]]:
        """Who is the same person."""
        parent: dict[Origin, Origin] = {}

        def root(one: Origin) -> Origin:
            while parent[one] != one:
                one = parent[one]
            return one

        first: dict[str, Origin] = {}
        for company, _, line in self.lines():
            if line is None or (company, line["id"]) in parent:
                continue
            origin = company, line["id"]
            parent[origin] = origin
            if line["email_verified"]:
                parent[root(origin)] = root(first.setdefault(line["email"].lower(), origin))
        groups: defaultdict[Origin, set[Origin]] = defaultdict(set)
        for origin in parent:
            groups[root(origin)].add(origin)
        return {frozenset(group) for group in groups.values()}

    def results(self) -> list[Result]:
        """What has to become of each line, where nobody of them is known."""
        seen, verified = set[Origin](), dict[str, bool]()
        results: list[Result] = []
        for company, _, line in self.lines():
            if line is None:
                results.append("refused")
                continue
            address = line["email"].lower()
            if (company, line["id"]) in seen:
                results.append("already")
            elif address not in verified or (line["email_verified"] and not verified[address]):
                verified[address] = line["email_verified"]
                results.append("created")
            else:
                results.append("merged" if line["email_verified"] else "conflict")
            seen.add((company, line["id"]))
        return results

    def counts(self) -> Counter[Result]:
        """How many lines of which result."""
        return Counter(self.results())
