"""Write what the chart repeats of the controller's parser, from its patterns and words: `make chart-docs`.

These are the patterns of hosts and roles for the chart's checks and policies, and the rules for annotations as CEL.

The API server then says at `kubectl annotate` what the controller would report; test_annotation_check.py in
tests/control_plane holds the two to the same verdict and words. The variables `of_class`, `defaults`, `excluded`,
`opted_in` and `attaches` depend on the values, so the chart's template defines them.
"""

import base64
import json
import sys
import textwrap

from pullkeeper.domain.config.additional_secrets import PATH, AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import NO_NAMESPACE
from pullkeeper.domain.config.role_partitions import host_patterns
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.partitions import PARTITIONS, Partition
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.validation import MAX_QUOTED, MAX_REPORTED
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import NAME
from pullkeeper.domain.kube.annotation_lists import MAX_PARTS
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.annotations import (
    ATTACH,
    CLASS,
    ENABLED,
    INJECT,
    KNOWN,
    MAX_ANNOTATIONS,
    MAX_LENGTHS,
    MAX_UNKNOWN,
    REGISTRIES,
    ROLE_ARN,
    SERVICE_ACCOUNT,
)
from pullkeeper.domain.namespace.installation_class import CLASS_FORM
from pullkeeper.domain.namespace.installation_class import PATTERN as CLASS_PATTERN
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret import desired_state as words
from pullkeeper.domain.secret import role_annotation
from pullkeeper.domain.secret.shapes import shape_of
from testsupport.helm import CHART

RULES = CHART / "templates" / "_annotation_rules.tpl"
PATTERNS = CHART / "templates" / "_patterns.tpl"
SHAPES = CHART / "templates" / "_shapes.tpl"
_ANY_HOST = RegistryHost(name="@HOST.@", region="")
SHAPES_HEADER = """\
{{- /*
How the Secrets of settings.additionalSecrets are laid out, for the fence: @NAME@, @PATH@ and @HOST.@ stand for what an
entry says, with @HOST\\.@ for the host in a regular expression. Written by `make chart-docs` from the controller's own
(tools/admission_policies.py): do not edit.
*/ -}}
{{- define "pullkeeper.secretShapes" -}}
"""
PATTERNS_HEADER = """\
{{- /*
Regular expressions of whole texts, for Helm and for CEL. Written by `make chart-docs` from the controller's own
(tools/admission_policies.py): do not edit.
*/ -}}
"""
PARTITIONS_HEADER = """\

{{- /* The AWS partitions: expressions of their regions, and patterns (*) of their registry hosts. */ -}}
{{- define "pullkeeper.partitions" -}}
"""
HEADER = """\
{{- /*
What the controller reports of a Namespace's annotations, as variables of an admission policy in CEL. Written by
`make chart-docs` from the controller's own patterns and words (tools/admission_policies.py): do not edit.
*/ -}}
{{- define "pullkeeper.annotationsChanged" -}}
@CHANGED@
{{- end }}

{{- /* Whether a Namespace is of the class, or may be. A dict: root, and the CEL of its annotations, a map. */ -}}
{{- define "pullkeeper.celServes" -}}
@SERVES@
{{- end }}

{{- /* Needs the variables `of_class`, `defaults`, `excluded`, `opted_in` and `attaches`. */ -}}
{{- define "pullkeeper.annotationRules" -}}
"""
MAX_MESSAGE = 1024
"""Longest text, as of an Event's note: an API server takes 5 KiB, and cuts more than 4,096 characters of warnings."""
HIDDEN = "a value that cannot be shown"
_FIRST = str(list(range(MAX_REPORTED)))
_SHOWN = r"[ \p{L}\p{M}\p{N}\p{P}\p{S}]*"
"""What RE2 knows as printable, as Python does."""
_LONGEST_HOST = 100
"""Longer than any host: nothing beyond is matched, to save cost."""


def text(value: str) -> str:
    """Return a text as a literal of CEL."""
    escaped = (
        value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f"'{escaped}'"


def pattern(regexp: str) -> str:
    """Return a regular expression for a whole text as a literal of CEL."""
    return f"r'^(?:{regexp})$'"


def given(key: str) -> str:
    """Return whether the Namespace has an annotation."""
    return f"{text(PREFIX + key)} in variables.annotations"


def value(key: str) -> str:
    """Return the value of an annotation that is there."""
    return f"variables.annotations[{text(PREFIX + key)}]"


def shown(key: str) -> str:
    """Return as much of a value as own_annotations keeps, as far as it is quoted."""
    kept = MAX_LENGTHS[key] + 1
    cut = f"({value(key)}.size() > {kept} ? {value(key)}.substring(0, {kept}) : {value(key)})"
    return quoted(cut if kept <= MAX_QUOTED else value(key))


def problem(key: str, found: str, expected: str) -> str:
    """Return a problem in the words of validation.Problem; `found` and `expected` are CEL."""
    return f"{text(PREFIX + key + ': found ')} + {found} + ', expected ' + {expected}"


def quoted(shown: str) -> str:
    """Return a text as validation.quoted shows it, as far as it is printable."""
    first, kept = MAX_QUOTED + 1, MAX_QUOTED - 1
    return (
        f"[('\"' + {shown} + '\"')].map(q, q.size() > {first} ? q.substring(0, {first}) : q)"
        ".map(q, q.replace('\\n', '\\\\n').replace('\\r', '\\\\r').replace('\\t', '\\\\t'))"
        f".map(q, q.size() > {MAX_QUOTED} ? q.substring(0, {kept}) + '…' : q)"
        f".map(q, q.matches({pattern(_SHOWN)}) ? q : {text(HIDDEN)})[0]"
    )


def parts(key: str) -> str:
    """Return the parts of a list, as annotation_lists.parts does: this list is not made in CEL, which would be slow."""
    return f"{given(key)} ? {value(key)}.replace('\\n', ',').split(',') : []"


def trimmed(listed: str) -> str:
    """Return the parts of a list as annotation_lists.trimmed does; none of too many."""
    return f"{listed}.size() > {MAX_PARTS} ? [] : {listed}.map(p, p.trim() != '', p.trim())"


def first(listed: str) -> str:
    """Return as many entries of a list as are reported."""
    return f"{_FIRST}.filter(i, i < {listed}.size()).map(i, {listed}[i])"


def unknown_problems() -> str:
    unknown = "variables.unknown"
    many = problem(
        "*",
        f"string({unknown}.size()) + {text(words.UNKNOWN_KEYS)}",
        text(words.KNOWN_KEYS),
    )
    one = text(f": found {words.UNKNOWN_KEY}, expected {words.KNOWN_KEYS}")
    # A map's keys have no order in CEL; the one with i smaller ones is the i-th.
    return f"""\
{unknown}.size() > {MAX_UNKNOWN}
? [{many}]
: {list(range(MAX_UNKNOWN))}.filter(i, i < {unknown}.size())
  .map(i, {unknown}.filter(k, {unknown}.filter(o, o < k).size() == i)[0] + {one})"""


def flag_problems() -> str:
    return "\n+ ".join(
        f"({given(key)} && !({value(key)} in ['true', 'false']) ? [{problem(key, shown(key), text(words.FLAG))}] : [])"
        for key in (ENABLED, INJECT)
    )


def class_problems() -> str:
    """Return what is wrong with the class; of one that is too long its length is reported."""
    invalid = f"{value(CLASS)}.size() <= {MAX_LENGTHS[CLASS]} && !{value(CLASS)}.matches({pattern(CLASS_PATTERN)})"
    return f"({given(CLASS)} && {invalid} ? [{problem(CLASS, quoted(value(CLASS)), text(CLASS_FORM))}] : [])"


def serves() -> str:
    """Return whether a Namespace is of the installation's class, or of one that is invalid, so that it may be."""
    key = text(PREFIX + CLASS)
    named = f"[{{{{ .annotations }}}}].map(a, {key} in a ? a[{key}] : '')"
    own = 'c == {{ default "" .root.Values.settings.class | toJson }}'
    return f"{named}.all(c, {own} || c.size() > {MAX_LENGTHS[CLASS]} || !c.matches({pattern(CLASS_PATTERN)}))"


def length_problems() -> str:
    return "\n+ ".join(
        f"({given(key)} && {value(key)}.size() > {limit} "
        f"? [{problem(key, shown(key), text(f'at most {limit:,} characters'))}] : [])"
        for key, limit in MAX_LENGTHS.items()
    )


def invalid_hosts() -> str:
    """Return the invalid hosts that are reported, and what host may have been meant: its parts are texts, too.

    The first 20 characters of a host are its account and how it goes on, up to `ecr`.
    """
    pasted = (
        f"(h.size() > {registry_host.MAX_PASTED} ? h.substring(0, {registry_host.MAX_PASTED}).trim() : h).lowerAscii()"
    )
    meant = f"{pasted}.find(r'{registry_host.PASTED}').find(r'{registry_host.ANY_HOST}')"
    return f"""\
{first("variables.not_hosts")}
.map(h, {{'text': string(h), 'host': {meant}}})
.map(h, {{'text': h.text, 'host': h.host, 'rest': h.host.size() > 20 ? h.host.substring(20) : '..'}})
.map(h, {{'text': h.text, 'host': h.host, 'fips': h.rest.split('.')[0], 'region': h.rest.split('.')[1],
  'dual_stack': h.rest.split('.')[2] == 'on' ? 'on' : ''}})
.map(h, {{'text': h.text, 'host': h.host, 'dual_stack': h.dual_stack,
  'fips': h.region.matches('^fips-.|.-fips$') ? '-fips' : h.fips,
  'region': h.region.matches('^fips-.') ? h.region.substring(5)
    : h.region.matches('.-fips$') ? h.region.substring(0, h.region.size() - 5) : h.region}})"""


def region_advice() -> str:
    """Return what is expected instead of a host `h` that is of the wrong domain, or of no region."""
    none = f"{text(registry_host.NO_REGION)} + '; \"' + h.region + '\" is none'"
    dual_stack = "h.dual_stack == 'on' && x.dual_stack_suffix != ''"
    host = f"({dual_stack} ? '.dkr-ecr' : '.dkr.ecr') + h.fips + '.' + h.region + '.'"
    return f"""\
variables.partitions.exists(x, h.region.matches(x.regions))
  ? variables.partitions.filter(x, h.region.matches(x.regions)).map(x, '"' + h.host.substring(0, 12)
    + {host} + ({dual_stack} ? x.dual_stack_suffix : x.suffix)
    + '": ' + h.region + ' is a region of the partition ' + x.name)[0]
  : {none}"""


def registry_problems() -> str:
    listed = "variables.hosts"
    too_many = problem(REGISTRIES, f"string({listed}.size()) + ' hosts'", text(registry_host.TOO_MANY))
    none = f"({given(REGISTRIES)} ? {text(words.NO_HOST)} : {text(words.NO_DEFAULT)})"
    only = "'only the host, in lower case: \"' + h.host + '\"'"
    advice = f"""\
(h.host == '' ? {text(registry_host.FORM)}
  : h.host.matches({pattern(registry_host.HOST)}) ? {only}
  : {region_advice()})"""
    too_long = problem(REGISTRIES, "string(variables.registries.size()) + ' parts'", text(registry_host.TOO_MANY))
    return f"""\
variables.registries.size() > {MAX_PARTS} ? [{too_long}]
: {listed}.size() > {registry_host.MAX_REGISTRIES} ? [{too_many}]
: {listed}.size() == 0 ? [{problem(REGISTRIES, none, text(f"at least one host: {registry_host.FORM}"))}]
: variables.invalid_hosts.map(h, {problem(REGISTRIES, quoted("h.text"), advice)})"""


def is_host(host: str) -> str:
    return f"{host}.size() <= {_LONGEST_HOST} && {host}.matches({pattern(registry_host.HOST)})"


def checked_hosts(condition: str) -> str:
    return f"variables.hosts.size() > {registry_host.MAX_REGISTRIES} ? [] : variables.hosts.filter(h, {condition})"


def partitions() -> str:
    rows = (
        f"{{'name': {text(each.name)}, 'regions': {pattern(each.region_pattern)}, "
        f"'suffix': {text(each.suffix)}, 'dual_stack_suffix': {text(each.dual_stack_suffix)}}}"
        for each in PARTITIONS
    )
    return "[{}]".format(",\n".join(rows))


def host_partitions() -> str:
    """Return each valid host with its partition and account."""
    public = f"h in {list(registry_host.PUBLIC_HOSTS)}"
    region = f"({public} ? {text(registry_host.PUBLIC_REGION)} : h.substring(20).split('.')[1])"
    account = f"({public} ? '' : h.substring(0, 12))"
    return f"""\
variables.valid_hosts.map(h, {{'host': string(h), 'region': {region}, 'account': {account}}})
.map(h, {{'host': h.host, 'account': h.account,
  'partition': variables.partitions.filter(x, h.region.matches(x.regions))[0].name}})"""


def named_roles() -> str:
    """Return the parts of the list of roles, as role_arn.parts does."""
    lines = (
        f"({value(ROLE_ARN)} + '\\n').replace(',\\n', '\\n').replace(', arn:', '\\narn:').replace(',arn:', '\\narn:')"
    )
    return f"{given(ROLE_ARN)} ? {lines}.split('\\n').map(p, p.trim() != '', p.trim()) : []"


def not_roles() -> str:
    too_many = f"variables.named_roles.size() > {role_annotation.MAX_ROLES}"
    return f"{too_many} ? [] : variables.named_roles.filter(r, !r.matches({pattern(role_arn.PATTERN)}))"


def roles() -> str:
    """Return the roles with their partitions and accounts, if all of them are valid."""
    return f"""\
variables.named_roles.size() > {role_annotation.MAX_ROLES} || variables.not_roles.size() > 0 ? []
: variables.named_roles.map(r, {{'arn': r, 'partition': r.split(':')[1], 'account': r.split(':')[4]}})"""


def served() -> str:
    """Return each valid host with the role that serves it, "" for none."""
    of_public = f"r.partition == {text(role_annotation.PUBLIC_PARTITION)}"
    return f"""\
variables.host_partitions.map(h, {{'host': h.host, 'partition': h.partition, 'account': h.account,
  'role': variables.roles.filter(r, variables.roles.size() == 1
    || (h.account == '' ? {of_public} : r.account == h.account)).map(r, r.arn).join(' ').split(' ')[0]}})"""


def identity_problems() -> str:
    role, account = value(ROLE_ARN), value(SERVICE_ACCOUNT)
    both = problem(ROLE_ARN, text(f"{PREFIX}{SERVICE_ACCOUNT} beside it"), text("one of the two"))
    form = f"""\
(r.contains(':sts:') && r.contains(':assumed-role/') ? {text(role_arn.NOT_A_SESSION)}
    : r.startsWith('arn:') && !r.contains(':role/') ? {text(role_arn.NOTHING_ELSE)}
    : {text(role_arn.FORM)})"""
    count = "string(variables.named_roles.size()) + ' roles'"
    return f"""\
{given(ROLE_ARN)} && {given(SERVICE_ACCOUNT)} ? [{both}]
: {given(SERVICE_ACCOUNT)} ? ({account}.matches({pattern(NAME.pattern)}) ? []
  : [{problem(SERVICE_ACCOUNT, quoted(account), text(words.ACCOUNT_FORM))}])
: !({given(ROLE_ARN)}) ? []
: variables.named_roles.size() == 0 ? [{problem(ROLE_ARN, quoted(role), text(role_arn.FORM))}]
: variables.named_roles.size() > {role_annotation.MAX_ROLES}
? [{problem(ROLE_ARN, count, text(role_annotation.TOO_MANY))}]
: variables.not_roles.size() > 0
? variables.not_roles.map(r, {problem(ROLE_ARN, quoted("r"), form)})
: variables.of_roles"""


def role_problems() -> str:
    """Return what is wrong with valid roles: two of an account, none for a host, across partitions, for no host."""
    across = (
        "'one of ' + h.partition + ', the partition of ' + h.host + ': credentials are not valid across partitions'"
    )
    expected = (
        f"(h.account == '' ? {text(role_annotation.OF_PARTITION + role_annotation.PUBLIC_PARTITION)}"
        f" : {text(role_annotation.OF_ACCOUNT)} + h.account)"
    )
    first = "variables.roles.filter(o, o.account == r.account)[0].arn"
    earlier = "range.exists(j, j < i && variables.roles[j].account == variables.roles[i].account)"
    places = str(list(range(role_annotation.MAX_ROLES)))
    served_by = "variables.served.exists(h, h.role == variables.roles[i].arn)"
    return f"""\
[{places}.filter(i, variables.roles.size() > 1 && i < variables.roles.size())].map(range,
range.filter(i, {earlier}).map(i, variables.roles[i]).map(r,
    {problem(ROLE_ARN, quoted("r.arn"), f"{text(role_annotation.SAME_ACCOUNT)} + {first}")})
+ [variables.served.filter(h, h.role == '')].map(found, found.size() == 0 ? [] : [found[0]])[0]
  .map(h, {problem(ROLE_ARN, f"{text(role_annotation.NO_ROLE)} + h.host", expected)})
+ [variables.served.filter(h, h.role != '' && h.role.split(':')[1] != h.partition)]
  .map(found, found.size() == 0 ? [] : [found[0]])[0]
  .map(h, {problem(ROLE_ARN, "'a role of the partition ' + h.role.split(':')[1]", across)})
+ range.filter(i, variables.served.size() > 0 && !{earlier} && !{served_by})
  .map(i, {problem(ROLE_ARN, quoted("variables.roles[i].arn"), text(role_annotation.NO_REGISTRY))}))[0]"""


def not_accounts() -> str:
    """Return the invalid ServiceAccount names, as far as they are judged one by one."""
    listed, every = "variables.accounts", text(service_account_names.ALL)
    return f"""\
{listed}.size() > {service_account_names.MAX_NAMES} || {listed}.all(n, n == {every}) ? []
: {listed}.filter(n, !n.matches({pattern(NAME.pattern)}))"""


def account_problems() -> str:
    listed, form = "variables.accounts", text(service_account_names.FORM)
    too_many = problem(ATTACH, f"string({listed}.size()) + ' names'", form)
    too_long = problem(ATTACH, "string(variables.attach_to.size()) + ' parts'", form)
    every = f"{listed}.all(n, n == {text(service_account_names.ALL)})"
    return f"""\
variables.attach_to.size() > {MAX_PARTS} ? [{too_long}]
: {listed}.size() > {service_account_names.MAX_NAMES} && !{every} ? [{too_many}]
: {first("variables.not_accounts")}.map(n, {problem(ATTACH, quoted("n"), form)})"""


def problems() -> str:
    """Return the problems in the order of desired_state; of hosts and of names no more than are reported."""
    ignored = f"{given(ATTACH)} && !variables.attaches ? [{text(words.NO_EFFECT)}] : []"
    return f"""\
!variables.may_ask ? []
: variables.excluded ? [{text(str(words.EXCLUDED))}]
: variables.too_long.size() > 0 ? variables.of_keys + variables.too_long
: !variables.judged ? []
: [variables.of_keys + variables.of_registries + variables.of_identity + variables.of_accounts]
  .map(all, all.size() > 0 ? all : {ignored})[0]"""


def message() -> str:
    """Return all problems in one line, as InvalidInputError and the note of an Event say them; "" without any."""
    beyond = " + ".join(
        f"(variables.{each}.size() > {MAX_REPORTED} ? variables.{each}.size() - {MAX_REPORTED} : 0)"
        for each in ("not_hosts", "not_accounts")
    )
    return f"""\
[variables.problems.size() + (variables.judged ? {beyond} : 0)]
.map(n, {first("variables.problems")}.join('; ')
  + (n > {MAX_REPORTED} ? '; and ' + string(n - {MAX_REPORTED}) + ' more' : ''))
.map(m, m.size() > {MAX_MESSAGE} ? m.substring(0, {MAX_MESSAGE - 1}) + '…' : m)[0]"""


def changed() -> str:
    """Return whether a request sets or changes one of our annotations."""
    known = ", ".join(text(PREFIX + key) for key in KNOWN)
    now, before = "object.metadata.annotations", "oldObject.metadata.annotations"
    same = f"oldObject != null && has({before}) && k in {before} && {before}[k] == {now}[k]"
    return f"""\
has({now}) && (
  [{known}].exists(k, k in {now} && !({same}))
  || ({now}.size() <= {MAX_ANNOTATIONS} && {now}.exists(k, k.startsWith({text(PREFIX)}) && !({same}))))"""


def variables() -> dict[str, str]:
    """Return the expression of each variable; each may use those before it."""
    known = ", ".join(text(PREFIX + key) for key in KNOWN)
    return {
        "annotations": "has(object.metadata.annotations) ? object.metadata.annotations : {}",
        "unknown": f"""\
variables.annotations.size() > {MAX_ANNOTATIONS} ? []
: variables.annotations.filter(k, k.startsWith({text(PREFIX)}) && !(k in [{known}]))""",
        "of_keys": f"({unknown_problems()})\n+ {flag_problems()}\n+ {class_problems()}",
        "too_long": length_problems(),
        "partitions": partitions(),
        "registries": parts(REGISTRIES),
        "hosts": f"!({given(REGISTRIES)}) ? variables.defaults\n: {trimmed('variables.registries')}",
        "valid_hosts": checked_hosts(is_host("h")),
        "not_hosts": checked_hosts(f"!({is_host('h')})"),
        "invalid_hosts": invalid_hosts(),
        "of_registries": registry_problems(),
        "host_partitions": host_partitions(),
        "named_roles": named_roles(),
        "not_roles": not_roles(),
        "roles": roles(),
        "served": served(),
        "of_roles": role_problems(),
        "of_identity": identity_problems(),
        "attach_to": parts(ATTACH),
        "accounts": trimmed("variables.attach_to"),
        "not_accounts": not_accounts(),
        "of_accounts": account_problems(),
        "may_ask": f"variables.of_class && !({given(ENABLED)} && {value(ENABLED)} == 'false')",
        "judged": f"""\
variables.may_ask && !variables.excluded && variables.too_long.size() == 0
&& ({given(ENABLED)} || variables.of_keys.size() > 0 || variables.opted_in)""",
        "problems": problems(),
        "message": message(),
    }


def rules() -> str:
    """Return the template that defines the variables."""
    entries = (
        f"- name: {name}\n  expression: |-\n{textwrap.indent(expression, ' ' * 4)}\n"
        for name, expression in variables().items()
    )
    header = HEADER.replace("@CHANGED@", changed()).replace("@SERVES@", serves())
    return f"{header}{''.join(entries)}{{{{- end }}}}\n"


def patterns() -> str:
    """Return the template that defines the patterns."""
    found = {
        "classPattern": CLASS_PATTERN,
        "rolePattern": role_arn.PATTERN,
        "hostPattern": registry_host.HOST,
        "pathPattern": PATH,
    }
    defined = (f'{{{{- define "pullkeeper.{name}" }}}}{regexp}{{{{ end }}}}\n' for name, regexp in found.items())
    return (
        f"{PATTERNS_HEADER}{''.join(defined)}{PARTITIONS_HEADER}{''.join(map(_partition, PARTITIONS))}{{{{- end }}}}\n"
    )


def shapes() -> str:
    """Return the template that defines the shapes of Secrets."""
    return f"{SHAPES_HEADER}{''.join(map(_shape, ShapeName))}{{{{- end }}}}\n"


def _shape(name: ShapeName) -> str:
    secret = AdditionalSecret(name="@NAME@", shape=name, registry=_ANY_HOST, path="@PATH@", namespaces=NO_NAMESPACE)
    found = shape_of(secret)
    fixed = {key: base64.b64decode(data).decode() for key, data in found.fixed_data.items()}
    layout = {"type": found.type, "labels": found.labels, "fixed": fixed, "passwordKey": found.password_key}
    return f"{name}: {json.dumps(layout)}\n"


def _partition(each: Partition) -> str:
    hosts = json.dumps(list(host_patterns(each.name)))
    return f"{each.name}: {{region: {each.region_pattern!r}, hosts: {hosts}}}\n"


def main() -> int:
    """Update the templates."""
    RULES.write_text(rules())
    PATTERNS.write_text(patterns())
    SHAPES.write_text(shapes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
