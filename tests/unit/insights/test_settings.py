import pytest

from insights.settings import InsightsSettings


@pytest.mark.parametrize(
    ("text", "names"), [("logs,,posts,", ("logs", "posts")), (",", ()), ("", ()), ("one", ("one",))]
)
def test_applications_that_are_off_leave_nothing_between_commas(text: str, names: tuple[str, ...]) -> None:
    settings = InsightsSettings.from_env({"STACK_NAME": "suite", "WORKGROUPS": text, "CLUSTERS": text})
    assert (settings.workgroups, settings.clusters) == (names, names)
