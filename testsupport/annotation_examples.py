"""Annotations that people and tenants might write on a Namespace: valid, nearly valid and hostile ones."""

from collections.abc import Mapping
from itertools import chain

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pullkeeper.domain.ecr.partitions import PARTITIONS
from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES
from pullkeeper.domain.namespace.annotations import KNOWN, MAX_ANNOTATIONS, MAX_LENGTHS, MAX_UNKNOWN

ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/blue"
Annotations = Mapping[str, str]
"""By key, without our prefix."""

_REGIONS = (
    "eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1",
    "us-isof-south-1", "eusc-de-east-1", "ap-southeast-17", "xx-west-1", "eu-west-123", "eu", "fips-us-gov-west-1",
    "us-east-1-fips", "fips-", "fips-xx-1", "-fips", "EU-WEST-1", "eu_west_1", "eu-wést-1", "a" * 63, "a" * 64,
)  # fmt: skip
_SUFFIXES = tuple(
    {suffix for each in PARTITIONS for suffix in each.suffixes if suffix} | {"amazonaws.org", "on.aws.cn"}
)
_MIDDLES = (".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips.", ".dkr_ecr.", ".ecr.", ".DKR.ecr.")
_ACCOUNTS = (ACCOUNT, ACCOUNT, ACCOUNT, "12345678901", "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢")
_BLANKS = ("", "", "", " ", "\t", "\r", "\xa0", "\u3000", "\u2028", "\x85", "\v", "\x1c", "\x1f", "\u200b", "\ufeff")
_DRESSED = (
    "{}", "{}", "{}", "https://{}", "{}/app:1", "{}:443", "{}.", "AWS@{}", "u:p@{}", "http://x@{}", "//{}", "oci://{}/a",
    "{}.evil.example.com", "evil.example.com/{}", "x{}", "{}x", "{}#", "{}?a", "{}@x", '"{}"', "{}\u202e", "{}\x1b[2J",
    "\u017f{}", "\u212a{}", "{};", "{} {}",
)  # fmt: skip
_SEPARATORS = (",", "\n", ",\n", ", ", ",,", "\r\n", ";", " ", "\u2028", "，")  # noqa: RUF001 -- not a comma
_KEYS = ("zone", "Enabled", "enabled.x", "registry", "role_arn", "a" * 63, "x-1", "1")

_any_text = st.text(st.characters(codec="utf-8"), max_size=150)
_one_host = st.one_of(
    st.builds("{}{}{}.{}".format, *map(st.sampled_from, (_ACCOUNTS, _MIDDLES, _REGIONS, _SUFFIXES))),
    st.sampled_from(
        [HOST, HOST, HOST, "public.ecr.aws", "ecr-public.aws.com", "docker.io", "PUBLIC.ecr.aws", HOST.upper()]
    ),
)
_dressed_host = st.builds(lambda host, form: form.replace("{}", host), _one_host, st.sampled_from(_DRESSED))
_blank = st.sampled_from(_BLANKS)
_part = st.builds("{}{}{}".format, _blank, st.one_of(_one_host, _dressed_host, _any_text), _blank)


def _list_of(part: st.SearchStrategy[str], longest: int) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(part, st.sampled_from(_SEPARATORS)), max_size=longest)
    return pairs.map(lambda each: "".join(chain(*each)))


_name = st.one_of(
    st.sampled_from(
        ["default", "builder", "*", "team-*", "A", "a_b", "-a", "a.", "a..b", "", "a" * 253, "a" * 254, "é"]
    ),
    st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
    _any_text,
)
_padded_name = st.builds("{}{}{}".format, _blank, _name, _blank)
_arn = st.builds(
    "arn:{}:{}::{}:{}/{}{}".format,
    st.sampled_from([*(each.name for each in PARTITIONS), "aws", "aws-xx", "aws-", "AWS", "gcp", ""]),
    st.sampled_from(["iam", "iam", "iam", "sts", "s3"]),
    st.sampled_from(_ACCOUNTS),
    st.sampled_from(["role", "role", "role", "assumed-role", "user", "role-arn"]),
    st.sampled_from(["", "", "team/", "a/b/", "é/", "/", "a b/", "x" * 510 + "/", "x" * 511 + "/"]),
    st.sampled_from(["blue", "a+=,.@_-b", "", "b c", "é", "x" * 64, "x" * 65, "blue\n", "blue/", "blue:role/"]),
)
_OTHER = "210987654321"
_plain_arn = st.builds(
    "arn:{}:iam::{}:role/{}".format,
    st.sampled_from(["aws", "aws", "aws-cn"]),
    st.sampled_from([ACCOUNT, _OTHER]),
    st.sampled_from(["blue", "a,b"]),
)
_roles = _list_of(st.builds("{}{}{}".format, _blank, st.one_of(_plain_arn, _plain_arn, _arn), _blank), 4)
_plain_host = st.builds(
    "{}.dkr.ecr.{}".format,
    st.sampled_from([ACCOUNT, _OTHER]),
    st.sampled_from(["eu-west-1.amazonaws.com", "us-east-1.amazonaws.com", "cn-north-1.amazonaws.com.cn"]),
)
_plain_hosts = _list_of(st.one_of(_plain_host, _plain_host, st.just("public.ecr.aws")), 4)
_flag = st.one_of(st.sampled_from(["true", "true", "true", "false", "", "yes", "True", " true", "true\n"]), _any_text)
_class = st.one_of(
    st.sampled_from(["canary", "canary", "canary", "", "Canary", "-", "a b", "a.", "a" * 63, "a" * 64, "canary\n"]),
    _any_text,
)
_annotations = st.fixed_dictionaries(
    {},
    optional={
        "registries": st.one_of(_part, _list_of(_part, 5), _list_of(_one_host, 14), _plain_hosts),
        "role-arn": st.one_of(_arn, _arn, _roles, _roles, _any_text),
        "service-account-name": _name,
        "attach-to-service-accounts": st.one_of(_padded_name, _list_of(_padded_name, 14)),
        "inject": _flag,
        "class": _class,
        "refresh-requested-at": _any_text,
    },
)
_identities = st.fixed_dictionaries({"registries": _plain_hosts, "role-arn": _roles})
_usual = st.sampled_from([{"enabled": "true"}, {"enabled": "true"}, {"enabled": "true"}, {}])
_strange = st.one_of(
    st.fixed_dictionaries({"enabled": _flag}),
    st.dictionaries(st.sampled_from(_KEYS), _any_text, max_size=MAX_UNKNOWN + 2),
)

any_annotations: st.SearchStrategy[dict[str, str]] = st.builds(
    lambda some, more: some | more,
    st.one_of(_annotations, _annotations, _annotations, _identities),
    st.one_of(_usual, _usual, _strange),
)
"""By key, without our prefix: more often valid than not, so that what is behind the validation is reached."""
any_host = st.one_of(_one_host, _dressed_host)
any_arn = st.one_of(_plain_arn, _arn)


def drawn(count: int) -> list[Annotations]:
    """Return so many examples, the same ones each time."""
    found: list[Annotations] = []

    @settings(
        max_examples=count, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(any_annotations)
    def draw(annotations: dict[str, str]) -> None:
        found.append(annotations)

    draw()
    return found


def _hosts(count: int, *, last: str = "") -> str:
    return ",\n".join(
        [*(f"{number:012}.dkr.ecr.eu-west-1.amazonaws.com" for number in range(count)), *filter(None, [last])]
    )


def _roles_of(count: int, first: int = 0) -> str:
    return "\n".join(f"arn:aws:iam::{number:012}:role/blue" for number in range(first, first + count))


LARGE: Mapping[str, Annotations] = {
    "a long invalid value of each key": {key: "é" * (limit - 1) for key, limit in MAX_LENGTHS.items()},
    "each value at its limit": {key: "x" * limit for key, limit in MAX_LENGTHS.items()},
    "each value beyond its limit": {key: "é" * (limit + 1) for key, limit in MAX_LENGTHS.items()},
    "240 KiB of one value": {"registries": "x" * 240_000},
    "hosts at the limit, one of them invalid": {"registries": _hosts(MAX_REGISTRIES - 1, last="x")},
    "a host too many": {"registries": _hosts(MAX_REGISTRIES + 1)},
    "hosts that are all invalid": {
        "registries": ",".join(f"https://{HOST}/{'x' * 120}" for _ in range(MAX_REGISTRIES))
    },
    "hosts of another partition": {"registries": _hosts(MAX_REGISTRIES), "role-arn": ROLE.replace("aws", "aws-cn")},
    "as many hosts as there may be": {"registries": _hosts(MAX_REGISTRIES), "role-arn": ROLE},
    "as many roles as there may be, none for any host": {
        "registries": _hosts(MAX_REGISTRIES),
        "role-arn": _roles_of(20, 300),
    },
    "as many roles as there may be, for one host each": {
        "registries": _hosts(MAX_REGISTRIES),
        "role-arn": _roles_of(20),
    },
    "roles of one account": {"registries": _hosts(1), "role-arn": "\n".join([ROLE] * 20)},
    "a role too many": {"registries": _hosts(MAX_REGISTRIES), "role-arn": _roles_of(21)},
    "roles that are all invalid": {"role-arn": "\n".join(["arn:" + "x" * 90] * 20)},
    "32 KiB of commas": {"registries": "," * (32 * 1024), "attach-to-service-accounts": "\n" * (32 * 1024)},
    "names that are all invalid": {"attach-to-service-accounts": ",".join(["A" * 160] * MAX_REGISTRIES)},
    "all ServiceAccounts, many times": {"attach-to-service-accounts": ",".join("*" * 401)},
    "as many unknown keys as are named": {f"x{number}": "" for number in reversed(range(MAX_UNKNOWN))},
    "one unknown key more": {f"x{number}": "" for number in range(MAX_UNKNOWN + 1)},
    "unknown keys that are counted": {f"x{number}": "y" * 400 for number in range(MAX_ANNOTATIONS - 1)},
    "unknown keys beyond what is searched": {f"x{number}": "" for number in range(MAX_ANNOTATIONS)},
    "thousands of unknown keys beside an invalid value": {
        "registries": "x",
        **{f"x{number}": "" for number in range(4_000)},
    },
    "every problem at once": {
        **dict.fromkeys(KNOWN, "é\x1b[2J"),
        **{f"x{number}": "" for number in range(MAX_UNKNOWN)},
        "registries": ",".join("x" * 150 for _ in range(MAX_REGISTRIES)),
    },
}
"""Those that cost most."""
