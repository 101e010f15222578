"""A run of a Glue job failed, timed out or was stopped: run it again later, a few times."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from shared.batches import PermanentError

from ..facts import Fact, JobRun
from ..hub import Action, Hub, PostponedError, code_of
from ..settings import Config

__all__ = ["RetryRun", "plan"]

RETRIED = {"FAILED", "TIMEOUT", "STOPPED"}
DAY_S = 86_400


@dataclass(frozen=True)
class RetryRun(Action):
    """Run a job again, with the arguments of the run that failed.

    Attributes:
        job: Name of the job.
        run: Id of the run.
        waited: Whether the delay is over.
    """

    REACTION: ClassVar[str] = "retry_run"
    job: str
    run: str
    waited: bool = False

    @property
    def key(self) -> str:
        """The run."""
        return f"retry#{self.run}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Start it; the new run's id is kept. While another run is under way it waits again."""
        glue, config = hub.client("glue"), hub.config
        tags = glue.get_tags(ResourceArn=config.arn("glue", f"job/{self.job}"))["Tags"]
        hub.permit(f"retry {self.job}", tags=tags)
        if not self.waited:
            raise PostponedError("later", config.job_delay_seconds, replace(self, waited=True))
        if not hub.has_place(self.job, most=config.job_retries, seconds=DAY_S):
            text = f"The job {self.job} failed, and was retried {config.job_retries} times within a day."
            hub.notify(self.key, f"Glue job {self.job} keeps failing", text)
            raise PermanentError(text)
        try:
            answer = glue.start_job_run(JobName=self.job, JobRunId=self.run)
        except ClientError as error:
            if code_of(error) != "ConcurrentRunsExceededException":
                raise
            raise PostponedError("another run is under way", config.job_delay_seconds) from None
        return {"run": answer["JobRunId"]}


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """A retry of a run that did not succeed."""
    return (RetryRun(fact.job, fact.run),) if isinstance(fact, JobRun) and fact.state in RETRIED else ()
