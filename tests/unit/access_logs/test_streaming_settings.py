import pytest

from access_logs.streaming_settings import WindowSettings
from shared.settings import SettingsError


def test_fields_keep_their_order() -> None:
    settings = WindowSettings.from_env(
        {"PARTIALS_TABLE": "partials", "FAILURES_BUCKET": "failures", "FIELDS": "timestamp,c-ip"}
    )
    assert settings.fields == ("timestamp", "c-ip")
    assert settings.lateness == 120


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        WindowSettings.from_env({"FIELDS": "timestamp,,c-ip", "LATENESS": "-1", "VIEWER_ADDRESS": "sell"})
    assert [problem.split(":")[0].split()[0] for problem in caught.value.problems] == [
        "PARTIALS_TABLE", "FAILURES_BUCKET", "FIELDS", "LATENESS", "VIEWER_ADDRESS",
    ]  # fmt: skip
