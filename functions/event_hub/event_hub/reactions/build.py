"""An environment of Elastic Beanstalk was created: start a job of continuous integration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from shared.batches import PermanentError

from ..facts import EnvironmentChange, Fact
from ..hub import Action, Hub, tags_of
from ..settings import Config

__all__ = ["StartBuild", "plan"]

BUILDS_AN_HOUR = 20


@dataclass(frozen=True)
class StartBuild(Action):
    """Start a build of the stack's CodeBuild project.

    Attributes:
        application: Beanstalk's application, as the build's variable `APPLICATION_NAME`.
        environment: Its environment, as `ENVIRONMENT_NAME`.
        identity: Of the creation.
        token: CodeBuild's idempotency token, "valid for 5 minutes"
            (https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html).
    """

    REACTION: ClassVar[str] = "build"
    application: str
    environment: str
    identity: str
    token: str

    @property
    def key(self) -> str:
        """The creation."""
        return f"build#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Start it; its id is kept."""
        codebuild, project = hub.client("codebuild"), hub.config.build_project
        found = codebuild.batch_get_projects(names=[project])["projects"] if project else []
        if not found:
            raise PermanentError("the CodeBuild project does not exist")
        hub.permit(f"build {self.environment}", tags=tags_of(found[0].get("tags")))
        hub.limit("builds", most=BUILDS_AN_HOUR, seconds=3600)
        answer = codebuild.start_build(
            projectName=project,
            idempotencyToken=self.token,
            environmentVariablesOverride=[
                {"name": "APPLICATION_NAME", "value": self.application, "type": "PLAINTEXT"},
                {"name": "ENVIRONMENT_NAME", "value": self.environment, "type": "PLAINTEXT"},
            ],
        )
        return {"build": answer["build"]["id"]}


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """A build for a creation; none for whatever else happens to an environment."""
    if not isinstance(fact, EnvironmentChange) or not fact.created:
        return ()
    token = fact.request_id or fact.identity
    return (StartBuild(fact.application, fact.environment, fact.identity, token),)
