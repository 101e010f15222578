"""Rules of the replication: what is taken out of which module, as `mutants.py` does it."""

from __future__ import annotations

__all__ = ["BETWEEN_REGIONS", "TESTS"]

TESTS = (
    "tests/unit/auth/regions/test_joining.py",
    "tests/unit/auth/regions/test_merging.py",
    "tests/unit/auth/regions/test_queues.py",
    "tests/unit/auth/regions/test_model.py",
)

_J, _R, _Q = "regions/_joining.py", "regions/_replication.py", "regions/_queues.py"
_D, _M = "identity/_documents.py", "identity/_merging.py"

BETWEEN_REGIONS = (
    ("concurrent versions are told from newer ones", _J, 'return "concurrent"', 'return "newer"'),
    (
        "a join has seen what both had",
        _J,
        "max(one.get(region, 0), other.get(region, 0)) for",
        "one.get(region, 0) for",
    ),
    ("erased wins", _J, 'if "erased" in statuses:', 'if statuses == {"erased"}:'),
    (
        "merged stays merged",
        _J,
        'if "merged" in statuses\n        else "active"',
        'if {"merged"} == statuses\n        else "active"',
    ),
    (
        "a join of a merged account is settled",
        _J,
        'unsettled="merged" in statuses or "conflict" in statuses',
        "unsettled=False",
    ),
    (
        "credentials went along with a merge",
        _J,
        "known.document if changed else known.document.without(CREDENTIALS)",
        "known.document",
    ),
    (
        "a join has the identifier of its document",
        _J,
        "known = mine if mine.document.later(theirs.document, kind) is mine.document else theirs",
        "known = mine",
    ),
    (
        "the newer epoch counts",
        _J,
        'other.epoch if seen == "older" else',
        'other.epoch if seen == "newer" else',
    ),
    (
        "old hashes imported before a new password are void",
        _J,
        "else _without_void_hashes(known, other)",
        "else known.document",
    ),
    (
        "hashes imported after a new password are good",
        _J,
        "max(imported, document.reading(name)) < changed",
        "document.reading(name) < changed",
    ),
    (
        "two epochs are joined to a third",
        "identity/_epochs.py",
        'return "+".join(sorted({*one.split("+"), *other.split("+")} - {""}))',
        "return max(one, other)",
    ),
    (
        "of each field the later edit counts",
        _D,
        "(document._is_final(name), document._age(leader)))",
        "(document._is_final(name), document is self))",
    ),
    ("verified is said of an address", _D, "leader = _TOGETHER.get(name, name)", "leader = name"),
    (
        "the hash of an old password is removed for ever",
        _D,
        "return _is_old_hash(name) and name in self._fields and self[name] is None",
        "return False",
    ),
    (
        "what is taken is no newer than it was",
        _D,
        "self._fields[name] = (value, max(reading, after(self.reading(name))))",
        'self._fields[name] = (value, "ffffffffffff.0000.x")',
    ),
    (
        "a replaced hash loses to a new password",
        _D,
        "reading = after(max(self.reading(name) for name in changes))",
        'reading = "ffffffffffff.0000.x"',
    ),
    (
        "removals come along with a merge",
        _M,
        'if name.split(".")[0] in _FOLLOWED and other[name] is None:',
        "if False:",
    ),
    (
        "void old passwords come along with a merge",
        _M,
        "for origin in other.known_hashes() - other.old_hashes().keys():",
        "for origin in set[str]():",
    ),
    (
        "an old password that was void is not taken",
        _M,
        "known = document.known_hashes()",
        "known = set(document.old_hashes())",
    ),
    (
        "later edits of a merged account are followed",
        _M,
        "in followed and other.reading(name) > document.reading(name)",
        "in ()",
    ),
    (
        "a second factor follows its own account alone",
        _M,
        "followed = _FOLLOWED if _have_one_factor(document, other) else _FOLLOWED - _FACTOR",
        "followed = _FOLLOWED",
    ),
    (
        "lines are older than what is written here",
        "imports/lines.py",
        "document.edit(fields, 0, records.region)",
        "document.edit(fields, records.now_ms, records.region)",
    ),
    (
        "what is verified is claimed again",
        "accounts/_endings.py",
        'if late and document["email_verified"]:',
        "if False:",
    ),
    (
        "who waits is kept where an identifier is taken",
        "storage/_aliases.py",
        'sets.append("#waiting = :waiting, unsettled = :true")',
        'removes.append("#waiting, unsettled")',
    ),
    (
        "an identifier that is released can expire",
        "storage/_aliases.py",
        'removes.append("#user, forever")',
        "pass",
    ),
    ("what the other region knows is not sent", _R, 'if seen in ("same", "older"):', 'if seen == "same":'),
    ("what both wrote is joined", _R, 'if theirs is not None and seen == "concurrent":', "if False:"),
    (
        "who ended is settled where they come to",
        _R,
        'return mine.status == "conflict" or mine.status not in _LIVE',
        'return mine.status == "conflict"',
    ),
    (
        "what belongs to who ended is deleted",
        _R,
        "        if user.status not in _LIVE:\n            self._store.commit_each",
        "        if user.status in ():\n            self._store.commit_each",
    ),
    (
        "late edits are carried over",
        _R,
        'elif user.status == "merged" and user.sealed is not None:',
        "elif False:",
    ),
    (
        "who is erased is erased where they were merged into",
        _R,
        'elif user.status == "erased" and end.status in _LIVE:',
        "elif False:",
    ),
    (
        "of a circle the lowest goes on",
        _R,
        "return self._revived(min(chain, key=lambda each: each.id))",
        "return user",
    ),
    (
        "two who have shown an address are one",
        _R,
        'if alias.kind == "email" and self._merge(alias, claimants[0], other):',
        "if False:",
    ),
    (
        "who has shown an address comes first",
        _R,
        "return (not _is_verified(alias, known), since, known.user.id)",
        "return (False, since, known.user.id)",
    ),
    (
        "who has no identifier has no log-in",
        _R,
        'status = base_status(known.document or Document()) if has_one else "conflict"',
        "status = base_status(known.document or Document())",
    ),
    ("who has no log-in has no session", _R, 'shut_out += [noted] if status == "conflict" else []', "pass"),
    (
        "a free identifier is given to who comes",
        _R,
        "elif now.user in (None, after.id):",
        "elif now.user == after.id:",
    ),
    (
        "who finds an identifier taken waits",
        _R,
        "then = Holding(now.user, now.waiting | {after.id})",
        "then = now",
    ),
    (
        "who gives an identifier up frees it",
        _R,
        "for text in sorted({*after.claims, *(_claims_before(before))}):",
        "for text in sorted(after.claims):",
    ),
    ("trouble with a table waits in queue T", _Q, 'queues.put_back(key, "tables")\n', "pass\n"),
    ("trouble with a key waits in queue K", _Q, 'queues.put_back(key, "keys")', "pass"),
    (
        "what can never be sent is set aside",
        _Q,
        'queues.refuse(json.dumps({"key": key}), str(error))',
        "pass",
    ),
    (
        "nothing is received while a region is out",
        _Q,
        "while remaining_s() > 0 and is_well():",
        "while remaining_s() > 0:",
    ),
    (
        "what failed comes back",
        _Q,
        'if message["MessageId"] in keys and result != "failed":',
        'if message["MessageId"] in keys:',
    ),
    (
        "a message that is none is set aside",
        _Q,
        "if isinstance(key, str) and (user_of_key(key) or Alias.of_text(key)):",
        "if key:",
    ),
)
"""What has to hold, the module, the rule's text in it, and what stands there without it."""
