"""Annotation keys that users set on a Namespace, without the prefix."""

ENABLED = "enabled"
REGISTRIES = "registries"
REFRESH = "refresh-requested-at"
ROLE_ARN = "role-arn"
SERVICE_ACCOUNT = "service-account-name"
ATTACH = "attach-to-service-accounts"
INJECT = "inject"
CLASS = "class"
KNOWN = (ENABLED, REGISTRIES, ROLE_ARN, SERVICE_ACCOUNT, ATTACH, INJECT, CLASS, REFRESH)
MAX_LENGTHS = {
    ENABLED: 32,
    REGISTRIES: 32 * 1024,
    ROLE_ARN: 2048,
    SERVICE_ACCOUNT: 253,
    ATTACH: 32 * 1024,
    INJECT: 32,
    CLASS: 63,
    REFRESH: 1024,
}
"""How many characters of a value are read; a longer one is invalid."""
MAX_ANNOTATIONS = 500
"""A Namespace with more annotations, of whatever prefix, is not searched for unknown keys.

An admission policy searches, too, and in CEL it takes quadratic time.
"""
MAX_UNKNOWN = 10
"""How many unknown keys are remembered by name, and reported so; of more of them only the number is reported."""
MAX_LABELS = 200
"""How many labels a Namespace may have for selectors to apply to it; a label has at most 380 characters."""
