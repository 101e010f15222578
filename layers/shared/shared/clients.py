"""One boto3 client for each service and time-out, made when first asked for.

Botocore takes region, credentials and endpoint (`AWS_ENDPOINT_URL`) from the environment by itself. Nothing
is made at import, so a test needs neither a region nor a reload.
"""

from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

__all__ = ["client", "client_elsewhere", "client_without_retries", "small_client"]

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0
ATTEMPTS = 3
POOL = 16  # calls at once; botocore keeps 10 connections by itself

# A tenth of a call's CPU time goes into looking at each parameter, and another into describing, in the header
# User-Agent, what runs here. These services refuse a wrong parameter themselves; S3 would take a request with
# an empty key for one about the bucket.
_UNCHECKED = {"dynamodb", "kms"}

# Left to itself botocore makes addresses of S3's global host, in the oldest regions with Signature Version 2.
# "For all Regions that launched after March 20, 2019, if a request arrives at the wrong Amazon S3 location,
# Amazon S3 returns an HTTP 400 Bad Request error"; in the others requests about a new bucket are redirected,
# which a signature does not survive: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingRouting.html
_ON_AWS: Any = {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}


@overload
def client(service: Literal["apigateway"], *, read_timeout: float = ...) -> "APIGatewayClient": ...
@overload
def client(service: Literal["athena"], *, read_timeout: float = ...) -> "AthenaClient": ...
@overload
def client(service: Literal["cloudformation"], *, read_timeout: float = ...) -> "CloudFormationClient": ...
@overload
def client(service: Literal["cloudwatch"], *, read_timeout: float = ...) -> "CloudWatchClient": ...
@overload
def client(service: Literal["dynamodb"], *, read_timeout: float = ...) -> "DynamoDBClient": ...
@overload
def client(service: Literal["ecs"], *, read_timeout: float = ...) -> "ECSClient": ...
@overload
def client(service: Literal["events"], *, read_timeout: float = ...) -> "EventBridgeClient": ...
@overload
def client(service: Literal["firehose"], *, read_timeout: float = ...) -> "FirehoseClient": ...
@overload
def client(service: Literal["glue"], *, read_timeout: float = ...) -> "GlueClient": ...
@overload
def client(service: Literal["kinesis"], *, read_timeout: float = ...) -> "KinesisClient": ...
@overload
def client(service: Literal["kms"], *, read_timeout: float = ...) -> "KMSClient": ...
@overload
def client(service: Literal["lambda"], *, read_timeout: float = ...) -> "LambdaClient": ...
@overload
def client(service: Literal["logs"], *, read_timeout: float = ...) -> "CloudWatchLogsClient": ...
@overload
def client(service: Literal["meteringmarketplace"], *, read_timeout: float = ...) -> Any: ...
@overload
def client(service: Literal["s3"], *, read_timeout: float = ...) -> "S3Client": ...
@overload
def client(service: Literal["secretsmanager"], *, read_timeout: float = ...) -> "SecretsManagerClient": ...
@overload
def client(service: Literal["sesv2"], *, read_timeout: float = ...) -> "SESV2Client": ...
@overload
def client(service: Literal["sns"], *, read_timeout: float = ...) -> "SNSClient": ...
@overload
def client(service: Literal["sqs"], *, read_timeout: float = ...) -> "SQSClient": ...
@overload
def client(service: Literal["ssm"], *, read_timeout: float = ...) -> "SSMClient": ...
@overload
def client(service: Literal["stepfunctions"], *, read_timeout: float = ...) -> "SFNClient": ...
@overload
def client(service: Literal["sts"], *, read_timeout: float = ...) -> "STSClient": ...
def client(service: str, *, read_timeout: float = READ_TIMEOUT_S) -> Any:
    """The client of one AWS service.

    Args:
        service: The service's name in boto3.
        read_timeout: Seconds to wait for an answer; connecting may take 2 s, and a call is tried 3 times.

    Returns:
        The same client for the same arguments; boto3 clients are safe to share between threads.
    """
    return _client(service, read_timeout)


@overload
def client_without_retries(
    service: Literal["dynamodb"], *, read_timeout: float = ...
) -> "DynamoDBClient": ...
@overload
def client_without_retries(service: Literal["ecs"], *, read_timeout: float = ...) -> "ECSClient": ...
@overload
def client_without_retries(service: Literal["sqs"], *, read_timeout: float = ...) -> "SQSClient": ...
def client_without_retries(service: str, *, read_timeout: float = READ_TIMEOUT_S) -> Any:
    """A client for who tries again by himself, such as `shared.batch_write`: a call is tried once.

    Args:
        service: The service's name in boto3.
        read_timeout: Seconds to wait for an answer; connecting may take 2 s.
    """
    return _client(service, read_timeout, attempts=1)


@overload
def small_client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def small_client(service: Literal["kms"]) -> "KMSClient": ...
def small_client(service: str) -> Any:
    """The client of a service, whose frequent calls take less CPU time; see `shared.small_client`.

    Args:
        service: The service's name in boto3.

    Returns:
        The same client for the same service. It is boto3's where a proxy stands before the service.
    """
    return _small_client(_client(service, READ_TIMEOUT_S))


@cache
def _small_client(made: Any) -> Any:
    import boto3

    from .small_client import SmallClient, is_direct

    if not is_direct(made.meta.endpoint_url):
        return made
    return SmallClient(made, (boto3.DEFAULT_SESSION or boto3.Session()).get_credentials())


def client_elsewhere(
    service: str,
    *,
    region: str,
    role_arn: str = "",
    session_name: str = "suite",
    connect_timeout: float = CONNECT_TIMEOUT_S,
    read_timeout: float = READ_TIMEOUT_S,
) -> Any:
    """A client of another region, or of another account by a role there; a call is tried once.

    Args:
        service: The service's name in boto3.
        region: Of the service.
        role_arn: A role that trusts the function's; without one the function asks with its own.
        session_name: What the other account's CloudTrail calls it, 2 to 64 characters.
        connect_timeout: Seconds that connecting may take.
        read_timeout: Seconds to wait for an answer.

    Returns:
        The same client for the same arguments, until the role's credentials have less than ten minutes left.

    Raises:
        ClientError: STS does not let the function assume the role.
    """
    if not role_arn:
        return _client(service, read_timeout, attempts=1, region=region, connect_timeout=connect_timeout)
    key = (service, region, role_arn, connect_timeout, read_timeout)
    made, expires = _assumed.get(key, (None, datetime.min.replace(tzinfo=UTC)))
    if expires - datetime.now(UTC) < _RENEWED_BEFORE:
        answer = client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session_name)
        session = answer["Credentials"]
        made = _make(service, read_timeout, 1, region, connect_timeout, session)
        _assumed[key] = (made, session["Expiration"])
    return made


_assumed: dict[tuple[str, str, str, float, float], tuple[Any, datetime]] = {}
_RENEWED_BEFORE = timedelta(minutes=10)


@cache
def _client(
    service: str,
    read_timeout: float,
    attempts: int = ATTEMPTS,
    region: str | None = None,
    connect_timeout: float = CONNECT_TIMEOUT_S,
) -> Any:
    return _make(service, read_timeout, attempts, region, connect_timeout)


def _make(
    service: str,
    read_timeout: float,
    attempts: int,
    region: str | None,
    connect_timeout: float,
    session: "CredentialsTypeDef | None" = None,
) -> Any:
    # Imported here: boto3 takes longer to import than most functions' own code.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=POOL,
        parameter_validation=service not in _UNCHECKED,
        user_agent=f"Boto3/{boto3.__version__}",
    )
    make: Any = boto3.client
    if session is not None:
        make = boto3.Session(
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        ).client
    make = partial(make, region_name=region)
    if service != "s3":
        return make(service, config=config)
    made = make(service, config=config.merge(Config(signature_version="s3v4", s3=_ON_AWS)))
    if _is_aws(made.meta.endpoint_url):
        return made
    # The name of another server may have no names below it: the bucket goes into the path.
    return make(
        service, config=config.merge(Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    )


def _is_aws(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
