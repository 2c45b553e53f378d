"""Only a registry's host becomes a RegistryHost, in every partition."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.registry_host import FORM, RegistryHost, parse

ACCOUNT = "123456789012"
STANDARD = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"

# As facts/aws.md gives it from AWS's own helpers, which are written in Go: its \d is ASCII alone.
ORACLE = re.compile(
    r"(\d{12})\.dkr[.-]ecr(-fips)?\.([a-zA-Z0-9][a-zA-Z0-9-_]*)"
    r"\.(amazonaws\.(com(\.cn)?|eu)|on\.(aws|amazonwebservices\.com\.cn)"
    r"|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)",
    re.ASCII,
)


@pytest.mark.parametrize(
    ("text", "region", "fips", "dual_stack"),
    [
        (STANDARD, "eu-west-1", False, False),
        (f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1", True, False),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws", "eu-west-1", False, True),
        (f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws", "us-east-1", True, True),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", False, False),
        (f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1", False, True),
        (f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1", False, False),
        (f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", True, False),
        (f"{ACCOUNT}.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", False, False),
        (f"{ACCOUNT}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", False, False),
        (f"{ACCOUNT}.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", False, False),
        (f"{ACCOUNT}.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", False, False),
        (f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", False, False),
    ],
)
def test_every_partition_has_its_form(text: str, *, region: str, fips: bool, dual_stack: bool) -> None:
    """A private registry's host tells its account, its region, and the kind of its endpoint."""
    expected = RegistryHost(name=text, region=region, account=ACCOUNT, fips=fips, dual_stack=dual_stack)
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["public.ecr.aws", "ecr-public.aws.com"])
def test_the_public_registry_takes_its_token_from_one_region(text: str) -> None:
    """ECR Public has no account, and only us-east-1 issues its tokens."""
    assert parse(text) == RegistryHost(name=text, region="us-east-1", public=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        f"{STANDARD}.fake.example.com",
        f"{STANDARD}.cn.cn",
        f"{STANDARD}x",
        f"x{STANDARD}",
        f"evil.com.{STANDARD}",
        f"{STANDARD}@evil.example.com",
        f"evil.example.com#{STANDARD}",
        f"evil.example.com/{STANDARD}",
        f"evil.example.com?{STANDARD}",
        f"{STANDARD},{STANDARD}",
        f"{STANDARD}\nevil.example.com",
        "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
        "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr..amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.-west-1.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.eu.west.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws-com",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.on.amazonaws.com",
        f"{ACCOUNT}xdkr.ecr.eu-west-1.amazonaws.com",
        f"{ACCOUNT}.ecr.eu-west-1.amazonaws.com",
        "١٢٣٤٥٦٧٨٩٠١٢.dkr.ecr.eu-west-1.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.eu-wеst-1.amazonaws.com",  # noqa: RUF001 -- a Cyrillic letter is the point
        "public.ecr.aws.evil.example.com",
        "docker.io",
        "http://[broken",
    ],
)
def test_a_lookalike_is_refused_and_the_form_is_shown(text: str) -> None:
    """What only looks like a registry host is refused, and its author reads what one looks like."""
    with pytest.raises(ValueError, match=f"^{re.escape(FORM)}$"):
        parse(text)


@pytest.mark.parametrize("host", [STANDARD, "public.ecr.aws"])
@pytest.mark.parametrize(
    "dressed",
    [
        "{}\n",
        "\t{} ",
        "{}.",
        "{}:443",
        "{}/",
        "{}/team/app:1.0",
        "https://{}",
        "https://{}/v2/",
        "oci://{}/app",
        "//{}",
        "AWS@{}",
    ],
)
def test_a_host_with_something_around_it_is_refused_and_shown_bare(host: str, dressed: str) -> None:
    """Who pastes a URL or an image's name reads the host that is in it."""
    with pytest.raises(ValueError, match=f'^only the host, in lower case: "{re.escape(host)}"$'):
        parse(dressed.format(host))


@pytest.mark.parametrize("text", [STANDARD.replace("dkr", "DKR"), "PUBLIC.ecr.aws", "Public.ECR.aws/nginx"])
def test_capitals_are_refused_and_shown_in_lower_case(text: str) -> None:
    """The kubelet compares hosts by their letters, so capitals are not mended in silence."""
    with pytest.raises(ValueError, match="in lower case") as raised:
        parse(text)
    assert text.lower().partition("/")[0] in str(raised.value)


HOST_TEXTS = st.from_regex(ORACLE, fullmatch=True)
SUFFIXES = ("amazonaws.com", "amazonaws.eu", "on.aws", ".cn", "c2s.ic.gov", "sc2s.sgov.gov", "csp.hci.ic.gov")
OTHERS = ("123456789012", "12345678901", ".dkr.", ".dkr-", "ecr", "-fips", ".", "-", "eu-west-1", "a_B", "\n", " ", "٣")
PARTS = st.sampled_from(SUFFIXES + OTHERS)


@given(HOST_TEXTS | st.lists(PARTS, max_size=9).map("".join) | st.text(max_size=80))
@example(f"{STANDARD}\n")
@example(f"{ACCOUNT}.dkr.ecr._.amazonaws.com")
def test_what_is_accepted_is_what_aws_own_pattern_accepts(text: str) -> None:
    """Acceptance, account and region are those of the pattern in both of AWS's helpers, matched whole."""
    match = ORACLE.fullmatch(text)
    try:
        found = parse(text)
    except ValueError:
        assert match is None
    else:
        assert match is not None
        assert (found.name, found.account, found.region) == (text, match[1], match[3])


def test_a_host_reads_as_its_name() -> None:
    """In messages a host stands as in an image's name."""
    assert f"{parse(STANDARD)}" == STANDARD
