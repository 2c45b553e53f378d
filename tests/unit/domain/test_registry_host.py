"""Parsing of registry hosts, in every partition."""

import re

import botocore.loaders
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.registry_host import FORM, MAX_REGISTRIES, RegistryHost, parse, parse_registries
from pullkeeper.domain.errors.validation import Problem

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
def test_hosts_of_every_partition_are_parsed(text: str, *, region: str, fips: bool, dual_stack: bool) -> None:
    """Account, region and endpoint variant follow from the host."""
    expected = RegistryHost(name=text, region=region, account=ACCOUNT, fips=fips, dual_stack=dual_stack)
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["public.ecr.aws", "ecr-public.aws.com"])
def test_the_public_registry_has_one_region(text: str) -> None:
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
def test_a_lookalike_is_rejected_with_the_expected_form(text: str) -> None:
    """So its author sees what a host looks like."""
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
def test_a_url_or_image_is_rejected_with_the_host_in_it(host: str, dressed: str) -> None:
    """What people paste contains the host."""
    with pytest.raises(ValueError, match=f'^only the host, in lower case: "{re.escape(host)}"$'):
        parse(dressed.format(host))


@pytest.mark.parametrize("text", [STANDARD.replace("dkr", "DKR"), "PUBLIC.ecr.aws", "Public.ECR.aws/nginx"])
def test_upper_case_is_rejected_with_the_lower_case_host(text: str) -> None:
    """The kubelet compares hosts case-sensitively."""
    with pytest.raises(ValueError, match="in lower case") as raised:
        parse(text)
    assert text.lower().partition("/")[0] in str(raised.value)


HOST_TEXTS = st.from_regex(ORACLE, fullmatch=True)
SUFFIXES = ("amazonaws.com", "amazonaws.eu", "on.aws", ".cn", "c2s.ic.gov", "sc2s.sgov.gov", "csp.hci.ic.gov")
OTHERS = ("123456789012", "12345678901", ".dkr.", ".dkr-", "ecr", "-fips", ".", "-", "eu-west-1", "a_B", "\n", " ", "٣")
PARTS = st.sampled_from(SUFFIXES + OTHERS)
REGIONS = st.sampled_from(
    ["eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "EU-west-1", "eu-wést-1", "eu-a-1"]
)
HOSTS = st.builds(
    "{}.dkr{}ecr.{}.{}".format, st.just(ACCOUNT), st.sampled_from(".-"), REGIONS, st.sampled_from(SUFFIXES)
)


def is_named_like_a_region(region: str, suffix: str) -> bool:
    """By botocore's own table, in lower-case letters, and in a domain of the region's partition."""
    if not re.fullmatch(r"[a-z-]+-[a-z]{2,20}-[0-9]{1,2}", region):
        return False
    for each in botocore.loaders.create_loader().load_data("partitions")["partitions"]:
        if re.fullmatch(each["regionRegex"], region):
            dual_stack = each["outputs"]["dualStackDnsSuffix"].replace("api.", "on.", 1)
            return suffix in {each["outputs"]["dnsSuffix"], dual_stack}
    return False


@given(HOST_TEXTS | HOSTS | st.lists(PARTS, max_size=9).map("".join) | st.text(max_size=80))
@example(f"{STANDARD}\n")
@example(f"{ACCOUNT}.dkr.ecr._.amazonaws.com")
@example(STANDARD)
def test_exactly_the_hosts_of_awss_pattern_with_a_region_of_the_partition_are_accepted(text: str) -> None:
    """Account and region as in both of AWS's credential helpers."""
    match = ORACLE.fullmatch(text)
    accepted = match is not None and is_named_like_a_region(match[3], match[4])
    try:
        found = parse(text)
    except ValueError:
        assert not accepted
    else:
        assert accepted
        assert match is not None
        assert (found.name, found.account, found.region) == (text, match[1], match[3])


def test_a_host_of_any_length_is_rejected_in_a_few_words() -> None:
    """A region, account or suffix of a quarter of a megabyte is not repeated."""
    long = "a" * 250_000
    for text in (
        f"{ACCOUNT}.dkr.ecr.{long}.amazonaws.com",
        f"{STANDARD}/{long}",
        f"https://{long}",
        f"{long}{STANDARD}",
    ):
        with pytest.raises(ValueError, match=r"host|ACCOUNT") as raised:
            parse(text)
        assert len(str(raised.value)) < 200


def test_a_repeated_host_is_one() -> None:
    """In the order written; what is wrong is a problem each time."""
    hosts, problems = parse_registries(f"a,{STANDARD},public.ecr.aws,{STANDARD},a", "here")
    assert hosts == (parse(STANDARD), parse("public.ecr.aws"))
    assert [problem.found for problem in problems] == ['"a"', '"a"']


def test_of_a_list_that_is_too_long_no_host_is_parsed() -> None:
    """One problem tells how many there are; repetitions count."""
    expected = f"at most {MAX_REGISTRIES}, the number that fits into one Secret"
    for value, found in (
        (",".join(["a", STANDARD] * 101), "202 hosts"),
        (f"{STANDARD},\n" * 201, "403 parts"),
        ("," * 100_000, "100001 parts"),
    ):
        assert parse_registries(value, "here") == ((), [Problem(where="here", found=found, expected=expected)])
    assert parse_registries(f"{STANDARD},\n" * 200, "here") == ((parse(STANDARD),), [])


def test_blanks_are_those_of_unicode_around_a_host() -> None:
    """Python's own strip() would also remove the separators of files, which no other language takes for blanks."""
    assert parse_registries(f"\u3000{STANDARD}\xa0,\v\x85\u2028", "here") == ((parse(STANDARD),), [])
    _, problems = parse_registries(f"\x1c{STANDARD}\x1f", "here")
    assert problems == [Problem(where="here", found=f'"\\x1c{STANDARD}\\x1f"', expected=FORM)]


def test_a_host_reads_as_its_name() -> None:
    """As in image names."""
    assert f"{parse(STANDARD)}" == STANDARD
