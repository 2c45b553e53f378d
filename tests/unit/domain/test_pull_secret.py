"""The data of a pull Secret, and the entries that are read back from it."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.secret.pull_secret import DATA_KEY, PullSecret, read_auths
from testsupport.examples import EU, HOSTS, PASSWORD, PUBLIC, US, auth, published

MEBIBYTE = 1024 * 1024


def encoded(content: object) -> dict[str, str]:
    return {".dockerconfigjson": base64.b64encode(json.dumps(content).encode()).decode()}


def entry(text: str) -> dict[str, str]:
    return {"auth": text}


GOOD = entry(auth().reveal())


def secret(auths: Mapping[RegistryHost, Password]) -> PullSecret:
    return PullSecret(record=published(*auths), auths=auths)


def test_data_is_a_docker_config_with_auths() -> None:
    """One key, with nothing but the `auth` of each host, in order."""
    data = secret({US: auth("u"), EU: auth("e")}).data()
    assert list(data) == [".dockerconfigjson"]
    text = base64.b64decode(data[".dockerconfigjson"], validate=True).decode()
    assert text == json.dumps({"auths": {str(EU): entry(auth("e").reveal()), str(US): entry(auth("u").reveal())}})


def test_data_does_not_depend_on_the_order_of_entries() -> None:
    """Applying the same entries changes nothing."""
    assert secret({US: auth(), EU: auth()}).data() == secret({EU: auth(), US: auth()}).data()


@pytest.mark.parametrize(
    "text", ["", "hush", base64.b64encode(b"user:hush").decode(), base64.b64encode(b"AWS:").decode(), "QVdTOmh1c2g"]
)
def test_unreadable_entry_is_never_written(text: str) -> None:
    """It would fail every pull of a pod; the error names the host and not the content."""
    with pytest.raises(ValueError, match=r"^the entry of public\.ecr\.aws is not base64 of AWS:<password>$"):
        secret({EU: auth(), PUBLIC: Password(text)}).data()


def test_content_of_many_namespaces_is_encoded_once() -> None:
    """They share a token; few are kept, for they are tokens."""
    first = PullSecret(record=published(EU), auths={EU: auth("a")}).data()
    assert PullSecret(record=published(EU), auths={EU: auth("a")}).data()[DATA_KEY] is first[DATA_KEY]
    for number in range(100):
        PullSecret(record=published(EU), auths={EU: auth(str(number))}).data()
    assert PullSecret(record=published(EU), auths={EU: auth("a")}).data()[DATA_KEY] is not first[DATA_KEY]


def test_repr_shows_no_password() -> None:
    """Logging the content by accident is harmless."""
    assert auth().reveal() not in repr(secret({EU: auth()}))
    assert PASSWORD not in repr(secret({EU: auth()}))


@given(st.dictionaries(st.sampled_from(HOSTS), st.text(min_size=1).map(auth), min_size=1))
def test_entries_are_read_back(auths: dict[RegistryHost, Password]) -> None:
    """Whatever characters a password has."""
    assert read_auths(secret(auths).data()) == auths


@pytest.mark.parametrize(
    "data",
    [
        {},
        {".dockercfg": "e30="},
        {".dockerconfigjson": ""},
        {".dockerconfigjson": "!!!"},
        {".dockerconfigjson": base64.b64encode(b"{").decode()},
        {".dockerconfigjson": base64.b64encode(b"\xff\xfe\xfa").decode()},
        {".dockerconfigjson": base64.b64encode(b"[" * 100_000).decode()},
        encoded([]),
        encoded(None),
        encoded({}),
        encoded({"auths": None}),
        encoded({"auths": []}),
        encoded({"auths": "x"}),
    ],
)
def test_corrupt_data_has_no_entries(data: dict[str, str]) -> None:
    """Nothing that somebody may have written there raises an exception."""
    assert read_auths(data) == {}


@pytest.mark.parametrize(
    ("host", "value"),
    [
        (str(US), entry("")),
        (str(US), entry("nonsense")),
        (str(US), {}),
        (str(US), None),
        (str(US), []),
        (str(US), "text"),
        (str(US), {"auth": 5}),
        (str(US), {"auth": None}),
        (str(US), {"username": "AWS", "password": "x"}),
        ("docker.io", GOOD),
        ("https://index.docker.io/v1/", GOOD),
        (f"http://{US}", GOOD),
        (f"https://{US}/team/", GOOD),
        ("docker.io", entry(base64.b64encode(b"user:pass").decode())),
        ("", GOOD),
    ],
)
def test_corrupt_entry_is_skipped(host: str, value: Any) -> None:
    """The other registries must not be lost with it."""
    assert read_auths(encoded({"auths": {str(EU): GOOD, host: value}})) == {EU: auth()}


def test_scheme_is_removed_from_hosts() -> None:
    """Other tools, whose Secret may be handed over, write the URL that ECR returns."""
    assert read_auths(encoded({"auths": {f"https://{EU}": GOOD, "https://public.ecr.aws": GOOD}})) == {
        EU: auth(),
        PUBLIC: auth(),
    }


def test_maximum_number_of_registries_fits_into_a_secret() -> None:
    """200 hosts with tokens of 3 KiB stay below the limit of 1 MiB."""
    hosts = [registry_host.parse(f"{number:012}.dkr.ecr-fips.ap-southeast-7.amazonaws.com") for number in range(200)]
    data = secret({host: auth("x" * 2300) for host in hosts}).data()
    assert len(auth("x" * 2300).reveal()) > 3000
    assert len(base64.b64decode(data[".dockerconfigjson"])) < MEBIBYTE
