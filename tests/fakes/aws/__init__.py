"""An HTTP fake of AWS for tests and the demo: ECR, ECR Public, STS, instance metadata and Pod Identity.

`serve` and `serve_in_thread` start one; `AwsFake` is what they give.
"""

from tests.fakes.aws.effects import Garbage
from tests.fakes.aws.fake import ACCOUNT, USER_ARN, AwsFake, utcnow
from tests.fakes.aws.faults import Fault, Where
from tests.fakes.aws.iam import Grants
from tests.fakes.aws.oidc import JwksUrl
from tests.fakes.aws.records import Call, IssuedToken, Principal, Session
from tests.fakes.aws.server import serve, serve_in_thread
from tests.fakes.aws.tokens import TOKEN_MARKER, principal_hash

__all__ = [
    "ACCOUNT",
    "TOKEN_MARKER",
    "USER_ARN",
    "AwsFake",
    "Call",
    "Fault",
    "Garbage",
    "Grants",
    "IssuedToken",
    "JwksUrl",
    "Principal",
    "Session",
    "Where",
    "principal_hash",
    "serve",
    "serve_in_thread",
    "utcnow",
]
