"""The order of template.yaml: table of contents, banners, folders of functions, and whose a logical id is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.applications import contents, owner, sections
from ops.paths import ROOT
from ops.template import PATH, source

TITLES = [application.title for application in contents()]
FOLDERS = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}


def misplaced(text: str) -> list[str]:
    """Resources under another banner than their application's."""
    return [
        f"{name} is under the banner {title or 'of nobody'}, and its name is of {owner(name).title}"
        for title, names in sections("Resources", text).items()
        for name in names
        if owner(name).title != title
    ]


def test_banners_are_what_the_contents_list() -> None:
    assert list(sections("Resources")) == TITLES, "Contents of template.yaml and its banners differ"


@pytest.mark.parametrize("section", ["Parameters", "Conditions", "Outputs"])
def test_other_sections_are_in_the_order_of_the_contents(section: str) -> None:
    found = list(sections(section))
    assert "" not in found, f"{section} begin without an application's title"
    assert found == [title for title in TITLES if title in found], f"{section} are in another order"
    assert sum(len(names) for names in sections(section).values()) == len(source()[section])


def test_the_console_groups_parameters_as_the_template_does() -> None:
    """Whatever is in no group, the console puts under "Other parameters", by the alphabet.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-cloudformation-interface-parametergroup.html
    """
    groups = source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = {group["Label"]["default"].split(":")[0]: group["Parameters"] for group in groups}
    written = sections("Parameters")
    assert list(shown) == list(written), "groups of the console and titles in Parameters differ"
    for title, names in written.items():
        assert shown[title] == names, f"the console shows other parameters of {title}, or in another order"
    assert [name for names in shown.values() for name in names] == list(source()["Parameters"])


def test_an_applications_parameters_begin_with_its_switch() -> None:
    switches = {application.title: application.switch for application in contents()}
    for title, names in list(sections("Parameters").items())[1:]:
        assert names[0] == switches[title], f"{title} begins with {names[0]}"


def test_every_folder_of_functions_has_a_banner() -> None:
    lacking = FOLDERS - {application.folder for application in contents()}
    assert not lacking, f"Contents of template.yaml lack an application for functions/{min(lacking)}"


def test_every_banner_has_code_in_a_folder_of_functions() -> None:
    resources = source()["Resources"]
    for application in contents()[1:]:
        code = {
            Path(resources[name]["Properties"]["CodeUri"]).name
            for name in sections("Resources")[application.title]
            if resources[name]["Type"] == "AWS::Serverless::Function"
        }
        assert len(code) == 1, f"{application.title} has code in {len(code)} folders of functions/"
        of_its_own = {application.folder} if application.folder in FOLDERS else code
        assert code == of_its_own <= FOLDERS, f"{application.title} runs code of {code}"


def test_every_resource_stands_under_its_applications_banner() -> None:
    assert misplaced(PATH.read_text()) == []


def test_a_resource_under_a_foreign_banner_is_seen() -> None:
    text = re.sub(
        r"^(  # =+) Insights$", r"  AuthStray: {Type: Stray}\n\1 Insights", PATH.read_text(), flags=re.M
    )
    assert misplaced(text) == ["AuthStray is under the banner API portal, and its name is of Auth"]


def test_the_longest_prefix_says_whose_a_resource_is() -> None:
    assert owner("LogsLayer1a2b3c").title == "Access logs"
    assert owner("LogsOfSomething").title == "Log streaming"
    with pytest.raises(LookupError, match="Stray begins with no prefix of an application"):
        owner("Stray")


def test_no_prefix_is_claimed_twice() -> None:
    prefixes = [prefix for application in contents() for prefix in application.prefixes]
    assert len(prefixes) == len(set(prefixes))
