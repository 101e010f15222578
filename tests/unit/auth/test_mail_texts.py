"""The catalogue of mails."""

from __future__ import annotations

from typing import get_args

import pytest

from auth.mail_texts import compose_mail, compose_notice
from auth.storage import MailKind, NoticeKind

WITH_TOKEN = sorted(set(get_args(MailKind.__value__)) - {"none"})


@pytest.mark.parametrize("kind", get_args(NoticeKind.__value__))
def test_a_notice_says_by_whom_when_and_what_to_do(kind: NoticeKind) -> None:
    subject, text = compose_notice(kind, "The {odd} Shop", "2026-11-28T07:05:09.123+00:00")
    assert subject.isascii()
    assert "When: 28 November 2026, 07:05:09 UTC\nBy: The {odd} Shop\n" in text
    assert "If it was not you" in text
    assert len(text) < 800
    assert max(map(len, subject.splitlines())) < 60


@pytest.mark.parametrize("kind", WITH_TOKEN)
def test_a_mail_has_its_link_and_its_company(kind: MailKind) -> None:
    subject, text = compose_mail(kind, "The Shop", "https://shop.example/verify?token=t", 1_795_851_000)
    assert "https://shop.example/verify?token=t\n" in text
    assert "The Shop" in text
    assert ("28 November 2026, 07:30:00 UTC" in text) is (kind == "recovery")
    assert subject.isascii()
