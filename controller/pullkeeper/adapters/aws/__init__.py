"""AWS: authorization tokens from ECR and ECR Public, as any of the identities."""

from pullkeeper.adapters.aws.ecr import Ecr

__all__ = ["Ecr"]
