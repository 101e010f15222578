import pytest

from insights.settings import InsightsSettings, SavedQuery
from shared.settings import SettingsError


def test_each_panel_has_its_workgroup_and_query() -> None:
    settings = InsightsSettings.from_env({"QUERIES": "one=logs/1,,two=posts/2,"})
    assert settings.queries == {"one": SavedQuery("logs", "1"), "two": SavedQuery("posts", "2")}


def test_without_applications_there_is_no_panel() -> None:
    assert InsightsSettings.from_env({"QUERIES": ","}).queries == {}
    assert InsightsSettings.from_env({}).queries == {}


@pytest.mark.parametrize("text", ["one", "one=", "one=logs", "one=logs/", "=logs/1", "one=/1"])
def test_half_an_entry_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="QUERIES"):
        InsightsSettings.from_env({"QUERIES": text})
