"""An HTTP fake of AWS for tests and the demo: ECR, ECR Public, STS, instance metadata and Pod Identity.

`serve` and `serve_in_thread` start one; `AwsFake` is what they give.
"""

from testsupport.fake_aws.effects import Garbage
from testsupport.fake_aws.fake import ACCOUNT, USER_ARN, AwsFake, utcnow
from testsupport.fake_aws.faults import Fault, Where
from testsupport.fake_aws.iam import Grants
from testsupport.fake_aws.oidc import JwksUrl
from testsupport.fake_aws.records import Call, IssuedToken, Principal, Session
from testsupport.fake_aws.server import serve, serve_in_thread
from testsupport.fake_aws.tokens import TOKEN_MARKER, principal_hash

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
