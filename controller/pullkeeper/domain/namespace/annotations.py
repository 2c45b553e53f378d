"""Annotation keys that users set on a Namespace, without the prefix."""

ENABLED = "enabled"
REGISTRIES = "registries"
REFRESH = "refresh-requested-at"
ROLE_ARN = "role-arn"
SERVICE_ACCOUNT = "service-account-name"
ATTACH = "attach-to-service-accounts"
KNOWN = (ENABLED, REGISTRIES, ROLE_ARN, SERVICE_ACCOUNT, ATTACH, REFRESH)
