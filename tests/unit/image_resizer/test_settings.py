import pytest

from image_resizer.settings import ResizeSettings
from shared.settings import SettingsError

SOUND = {"BUCKET": "pictures", "URL": "http://pictures.example.org:4566", "LADDER": "25,300"}


def test_only_bucket_address_and_ladder_are_needed() -> None:
    settings = ResizeSettings.from_env(SOUND)
    assert settings.ladder == (25, 300)
    assert settings.max_bytes == 40_000_000
    assert settings.signing_secret_id == ""


@pytest.mark.parametrize("url", ["pictures.example.org", "ftp://pictures", "http://", "http://pictures/"])
def test_the_address_must_be_usable_as_a_prefix(url: str) -> None:
    with pytest.raises(SettingsError, match="URL"):
        ResizeSettings.from_env(SOUND | {"URL": url})


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        ResizeSettings.from_env({"URL": "x", "LADDER": "300,25", "MAX_BYTES": "-1"})
    assert [problem.split(":")[0].split()[0] for problem in caught.value.problems] == [
        "BUCKET", "URL", "LADDER", "MAX_BYTES",
    ]  # fmt: skip
