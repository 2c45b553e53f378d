"""What the keys of certificates of the tests may do."""

from cryptography import x509


def usage(*, signs: bool = False, enciphers: bool = False, issues: bool = False) -> x509.KeyUsage:
    """Return the usages of a key: signing data, enciphering keys, issuing certificates."""
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=issues,
        crl_sign=issues,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


USAGE = usage(signs=True, issues=True)
"""Those of an authority."""
