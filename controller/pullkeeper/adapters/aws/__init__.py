"""AWS: authorization tokens from ECR and ECR Public."""

from pullkeeper.adapters.aws.ecr import Ecr

__all__ = ["Ecr"]
