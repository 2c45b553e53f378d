"""Why the certificate for IAM Roles Anywhere cannot be used: apart, for whoever has none needs no cryptography."""


class ClientCertificateError(Exception):
    """The certificate or its key cannot be used; the text is the program's own, and holds nothing of the key."""


class ClientCertificateUnreadableError(ClientCertificateError):
    """A file is missing, or holds nothing of the kind."""


class ClientCertificateMismatchError(ClientCertificateError):
    """The key is another certificate's."""


class ClientCertificateExpiredError(ClientCertificateError):
    """The certificate's time is over."""


class ClientCertificateNotYetValidError(ClientCertificateError):
    """The certificate's time has not begun."""


class ClientCertificateUnsuitableError(ClientCertificateError):
    """Roles Anywhere takes no such certificate, whoever issued it."""


class ClientKeyUnsupportedError(ClientCertificateError):
    """Roles Anywhere takes no signature of such a key."""
