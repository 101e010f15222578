"""What one account takes of another one, where both may have been edited in two regions."""

from __future__ import annotations

from typing import Any

from auth.identity import Document, catch_up, take_over


def document(now: int, region: str, **fields: Any) -> Document:
    made = Document()
    made.edit(fields, now, region)
    return made


def test_later_edit_counts_whichever_account_it_was_made_in() -> None:
    stays = document(1, "eu", secret="first", given_name="Ada")
    ends = document(2, "us", secret="second")
    catch_up(stays, ends)
    assert (stays["secret"], stays["given_name"]) == ("second", "Ada")
    catch_up(stays, document(1, "eu", secret="first"))
    assert stays["secret"] == "second"


def test_second_factor_is_not_changed_by_another_account_of_the_address() -> None:
    factor = {"totp": "the owner's", "factor": "f1", "recovery_code.0": "code"}
    for theirs in ({"totp": None}, {"totp": "another", "factor": "f2", "recovery_code.0": "another"}):
        stays = document(1, "eu", **factor)
        ends = document(0, "us", totp="x", factor="f2")
        ends.edit(theirs, 9, "us")
        catch_up(stays, ends)
        assert {name: stays[name] for name in factor} == factor


def test_second_factor_that_came_from_an_account_follows_it() -> None:
    ends = document(1, "us", totp="secret", factor="f1", **{"recovery_code.0": "a", "recovery_code.1": "b"})
    stays = document(2, "eu", email="a")
    take_over(stays, ends)
    ends.edit({"recovery_code.0": None}, 5, "us")
    catch_up(stays, ends)
    assert (stays["totp"], stays["recovery_code.0"], stays["recovery_code.1"]) == ("secret", None, "b")
    ends.edit({"totp": None, "recovery_code.1": None}, 6, "us")
    catch_up(stays, ends)
    assert (stays["totp"], stays["recovery_code.1"]) == (None, None)


def test_removal_comes_along_with_a_merge() -> None:
    before = document(1, "us", **{"totp": "secret", "factor": "f1", "recovery_code.0": "a"})
    after = before.without(())
    after.edit({"recovery_code.0": None}, 5, "us")
    here, there = document(2, "eu", email="a"), document(2, "eu", email="a")
    take_over(here, before)
    take_over(there, after)
    assert here.joined(there)["recovery_code.0"] is None


def test_void_old_password_is_taken_by_nobody() -> None:
    key = '["shop", "1"]'
    stays = document(1, "eu", **{f"old_hash.{key}": "hash"})
    stays.edit({f"old_hash.{key}": None}, 2, "eu")
    take_over(stays, document(9, "us", **{f"old_hash.{key}": "the same password"}))
    assert stays[f"old_hash.{key}"] is None
    others = document(1, "us", **{f"old_hash.{key}": "the same password"})
    take_over(others, stays)
    assert others[f"old_hash.{key}"] is None


def test_what_is_taken_loses_to_an_edit_of_the_account_elsewhere() -> None:
    here, there = document(1, "eu", email="a"), document(1, "eu", email="a")
    take_over(here, document(2, "eu", given_name="taken"))
    there.edit({"given_name": "edited"}, 3, "us")
    assert here.joined(there)["given_name"] == "edited"
    ended = document(1, "us", secret="old", **{"old_hash.k": "hash"})
    ended.replace_hash({"secret": "upgraded", "old_hash.k": None})
    reset = document(2, "eu", secret="new")
    assert ended.joined(reset)["secret"] == "new"
