"""The pages' website on the local engine answers as CloudFront does on AWS."""

from __future__ import annotations

import pytest

from local.suite import Suite


def test_folder_without_slash_leads_to_the_page(suite: Suite) -> None:
    answer = suite.http.get(f"{suite['WebUrl']}/images")
    assert [step.status_code for step in answer.history] == [302]
    assert answer.url == f"{suite['WebUrl']}/images/"
    assert 'data-application="image_resizer"' in answer.text


def test_root_of_the_port_leads_browsers_to_the_pages(suite: Suite) -> None:
    answer = suite.http.get(f"{suite.engine.endpoint}/", headers={"Accept": "text/html"})
    assert [step.status_code for step in answer.history] == [302]
    assert answer.url == f"{suite['WebUrl']}/"
    assert "<title>" in answer.text


@pytest.mark.parametrize("path", ["nothing", "nothing/", "images/nothing.js"])
def test_unknown_page_is_404_with_the_error_page(suite: Suite, path: str) -> None:
    answer = suite.http.get(f"{suite['WebUrl']}/{path}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")
    assert "There is no such page" in answer.text
