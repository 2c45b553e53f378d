{{- /*
What the controller reports of a Namespace's annotations, as variables of an admission policy in CEL. Written by
`make chart-docs` from the controller's own patterns and words (tools/admission_policies.py): do not edit.
*/ -}}
{{- define "pullkeeper.annotationsChanged" -}}
has(object.metadata.annotations) && (
  ['pullkeeper.dev/enabled', 'pullkeeper.dev/registries', 'pullkeeper.dev/role-arn', 'pullkeeper.dev/service-account-name', 'pullkeeper.dev/attach-to-service-accounts', 'pullkeeper.dev/inject', 'pullkeeper.dev/class', 'pullkeeper.dev/refresh-requested-at'].exists(k, k in object.metadata.annotations && !(oldObject != null && has(oldObject.metadata.annotations) && k in oldObject.metadata.annotations && oldObject.metadata.annotations[k] == object.metadata.annotations[k]))
  || (object.metadata.annotations.size() <= 500 && object.metadata.annotations.exists(k, k.startsWith('pullkeeper.dev/') && !(oldObject != null && has(oldObject.metadata.annotations) && k in oldObject.metadata.annotations && oldObject.metadata.annotations[k] == object.metadata.annotations[k]))))
{{- end }}

{{- /* Whether a Namespace is of the class, or may be. A dict: root, and the CEL of its annotations, a map. */ -}}
{{- define "pullkeeper.celServes" -}}
[{{ .annotations }}].map(a, 'pullkeeper.dev/class' in a ? a['pullkeeper.dev/class'] : '').all(c, c == {{ default "" .root.Values.settings.class | toJson }} || c.size() > 63 || !c.matches(r'^(?:(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?)$'))
{{- end }}

{{- /* Needs the variables `of_class`, `defaults`, `excluded`, `opted_in` and `attaches`. */ -}}
{{- define "pullkeeper.annotationRules" -}}
- name: annotations
  expression: |-
    has(object.metadata.annotations) ? object.metadata.annotations : {}
- name: unknown
  expression: |-
    variables.annotations.size() > 500 ? []
    : variables.annotations.filter(k, k.startsWith('pullkeeper.dev/') && !(k in ['pullkeeper.dev/enabled', 'pullkeeper.dev/registries', 'pullkeeper.dev/role-arn', 'pullkeeper.dev/service-account-name', 'pullkeeper.dev/attach-to-service-accounts', 'pullkeeper.dev/inject', 'pullkeeper.dev/class', 'pullkeeper.dev/refresh-requested-at']))
- name: of_keys
  expression: |-
    (variables.unknown.size() > 10
    ? ['pullkeeper.dev/*: found ' + string(variables.unknown.size()) + ' keys that this version does not know' + ', expected ' + 'one of pullkeeper.dev/enabled, pullkeeper.dev/registries, pullkeeper.dev/role-arn, pullkeeper.dev/service-account-name, pullkeeper.dev/attach-to-service-accounts, pullkeeper.dev/inject, pullkeeper.dev/class, pullkeeper.dev/refresh-requested-at']
    : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter(i, i < variables.unknown.size())
      .map(i, variables.unknown.filter(k, variables.unknown.filter(o, o < k).size() == i)[0] + ': found a key that this version does not know, expected one of pullkeeper.dev/enabled, pullkeeper.dev/registries, pullkeeper.dev/role-arn, pullkeeper.dev/service-account-name, pullkeeper.dev/attach-to-service-accounts, pullkeeper.dev/inject, pullkeeper.dev/class, pullkeeper.dev/refresh-requested-at'))
    + ('pullkeeper.dev/enabled' in variables.annotations && !(variables.annotations['pullkeeper.dev/enabled'] in ['true', 'false']) ? ['pullkeeper.dev/enabled: found ' + [('"' + (variables.annotations['pullkeeper.dev/enabled'].size() > 33 ? variables.annotations['pullkeeper.dev/enabled'].substring(0, 33) : variables.annotations['pullkeeper.dev/enabled']) + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + '"true" or "false"'] : [])
    + ('pullkeeper.dev/inject' in variables.annotations && !(variables.annotations['pullkeeper.dev/inject'] in ['true', 'false']) ? ['pullkeeper.dev/inject: found ' + [('"' + (variables.annotations['pullkeeper.dev/inject'].size() > 33 ? variables.annotations['pullkeeper.dev/inject'].substring(0, 33) : variables.annotations['pullkeeper.dev/inject']) + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + '"true" or "false"'] : [])
    + ('pullkeeper.dev/class' in variables.annotations && variables.annotations['pullkeeper.dev/class'].size() <= 63 && !variables.annotations['pullkeeper.dev/class'].matches(r'^(?:(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?)$') ? ['pullkeeper.dev/class: found ' + [('"' + variables.annotations['pullkeeper.dev/class'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'a class: at most 63 letters, digits, \'-\', \'_\' and \'.\', with a letter or digit at both ends; or nothing for the default class'] : [])
- name: too_long
  expression: |-
    ('pullkeeper.dev/enabled' in variables.annotations && variables.annotations['pullkeeper.dev/enabled'].size() > 32 ? ['pullkeeper.dev/enabled: found ' + [('"' + (variables.annotations['pullkeeper.dev/enabled'].size() > 33 ? variables.annotations['pullkeeper.dev/enabled'].substring(0, 33) : variables.annotations['pullkeeper.dev/enabled']) + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 32 characters'] : [])
    + ('pullkeeper.dev/registries' in variables.annotations && variables.annotations['pullkeeper.dev/registries'].size() > 32768 ? ['pullkeeper.dev/registries: found ' + [('"' + variables.annotations['pullkeeper.dev/registries'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 32,768 characters'] : [])
    + ('pullkeeper.dev/role-arn' in variables.annotations && variables.annotations['pullkeeper.dev/role-arn'].size() > 2048 ? ['pullkeeper.dev/role-arn: found ' + [('"' + variables.annotations['pullkeeper.dev/role-arn'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 2,048 characters'] : [])
    + ('pullkeeper.dev/service-account-name' in variables.annotations && variables.annotations['pullkeeper.dev/service-account-name'].size() > 253 ? ['pullkeeper.dev/service-account-name: found ' + [('"' + variables.annotations['pullkeeper.dev/service-account-name'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 253 characters'] : [])
    + ('pullkeeper.dev/attach-to-service-accounts' in variables.annotations && variables.annotations['pullkeeper.dev/attach-to-service-accounts'].size() > 32768 ? ['pullkeeper.dev/attach-to-service-accounts: found ' + [('"' + variables.annotations['pullkeeper.dev/attach-to-service-accounts'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 32,768 characters'] : [])
    + ('pullkeeper.dev/inject' in variables.annotations && variables.annotations['pullkeeper.dev/inject'].size() > 32 ? ['pullkeeper.dev/inject: found ' + [('"' + (variables.annotations['pullkeeper.dev/inject'].size() > 33 ? variables.annotations['pullkeeper.dev/inject'].substring(0, 33) : variables.annotations['pullkeeper.dev/inject']) + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 32 characters'] : [])
    + ('pullkeeper.dev/class' in variables.annotations && variables.annotations['pullkeeper.dev/class'].size() > 63 ? ['pullkeeper.dev/class: found ' + [('"' + (variables.annotations['pullkeeper.dev/class'].size() > 64 ? variables.annotations['pullkeeper.dev/class'].substring(0, 64) : variables.annotations['pullkeeper.dev/class']) + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 63 characters'] : [])
    + ('pullkeeper.dev/refresh-requested-at' in variables.annotations && variables.annotations['pullkeeper.dev/refresh-requested-at'].size() > 1024 ? ['pullkeeper.dev/refresh-requested-at: found ' + [('"' + variables.annotations['pullkeeper.dev/refresh-requested-at'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 1,024 characters'] : [])
- name: partitions
  expression: |-
    [{'name': 'aws', 'regions': r'^(?:(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'amazonaws.com', 'dual_stack_suffix': 'on.aws'},
    {'name': 'aws-cn', 'regions': r'^(?:(?:cn)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'amazonaws.com.cn', 'dual_stack_suffix': 'on.amazonwebservices.com.cn'},
    {'name': 'aws-eusc', 'regions': r'^(?:(?:eusc-de)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'amazonaws.eu', 'dual_stack_suffix': ''},
    {'name': 'aws-iso', 'regions': r'^(?:(?:us-iso)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'c2s.ic.gov', 'dual_stack_suffix': ''},
    {'name': 'aws-iso-b', 'regions': r'^(?:(?:us-isob)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'sc2s.sgov.gov', 'dual_stack_suffix': ''},
    {'name': 'aws-iso-e', 'regions': r'^(?:(?:eu-isoe)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'cloud.adc-e.uk', 'dual_stack_suffix': ''},
    {'name': 'aws-iso-f', 'regions': r'^(?:(?:us-isof)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'csp.hci.ic.gov', 'dual_stack_suffix': ''},
    {'name': 'aws-us-gov', 'regions': r'^(?:(?:us-gov)-[a-z]{2,20}-[0-9]{1,2})$', 'suffix': 'amazonaws.com', 'dual_stack_suffix': 'on.aws'}]
- name: registries
  expression: |-
    'pullkeeper.dev/registries' in variables.annotations ? variables.annotations['pullkeeper.dev/registries'].replace('\n', ',').split(',') : []
- name: hosts
  expression: |-
    !('pullkeeper.dev/registries' in variables.annotations) ? variables.defaults
    : variables.registries.size() > 401 ? [] : variables.registries.map(p, p.trim() != '', p.trim())
- name: valid_hosts
  expression: |-
    variables.hosts.size() > 200 ? [] : variables.hosts.filter(h, h.size() <= 100 && h.matches(r'^(?:public\.ecr\.aws|ecr\-public\.aws\.com|[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.(?:(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)|(?:cn)-[a-z]{2,20}-[0-9]{1,2}\.(?:on\.amazonwebservices\.com\.cn|amazonaws\.com\.cn)|(?:eusc-de)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.eu)|(?:us-iso)-[a-z]{2,20}-[0-9]{1,2}\.(?:c2s\.ic\.gov)|(?:us-isob)-[a-z]{2,20}-[0-9]{1,2}\.(?:sc2s\.sgov\.gov)|(?:eu-isoe)-[a-z]{2,20}-[0-9]{1,2}\.(?:cloud\.adc\-e\.uk)|(?:us-isof)-[a-z]{2,20}-[0-9]{1,2}\.(?:csp\.hci\.ic\.gov)|(?:us-gov)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)))$'))
- name: not_hosts
  expression: |-
    variables.hosts.size() > 200 ? [] : variables.hosts.filter(h, !(h.size() <= 100 && h.matches(r'^(?:public\.ecr\.aws|ecr\-public\.aws\.com|[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.(?:(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)|(?:cn)-[a-z]{2,20}-[0-9]{1,2}\.(?:on\.amazonwebservices\.com\.cn|amazonaws\.com\.cn)|(?:eusc-de)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.eu)|(?:us-iso)-[a-z]{2,20}-[0-9]{1,2}\.(?:c2s\.ic\.gov)|(?:us-isob)-[a-z]{2,20}-[0-9]{1,2}\.(?:sc2s\.sgov\.gov)|(?:eu-isoe)-[a-z]{2,20}-[0-9]{1,2}\.(?:cloud\.adc\-e\.uk)|(?:us-isof)-[a-z]{2,20}-[0-9]{1,2}\.(?:csp\.hci\.ic\.gov)|(?:us-gov)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)))$')))
- name: invalid_hosts
  expression: |-
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter(i, i < variables.not_hosts.size()).map(i, variables.not_hosts[i])
    .map(h, {'text': string(h), 'host': (h.size() > 1000 ? h.substring(0, 1000).trim() : h).lowerAscii().find(r'^(?:[a-z]+:)?(?://)?(?:[a-z0-9:_-]*@)?(?:public\.ecr\.aws|ecr\-public\.aws\.com|[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9][a-z0-9_-]{0,62}\.(?:on\.amazonwebservices\.com\.cn|amazonaws\.com\.cn|cloud\.adc\-e\.uk|csp\.hci\.ic\.gov|amazonaws\.com|sc2s\.sgov\.gov|amazonaws\.eu|c2s\.ic\.gov|on\.aws))\.?(?:[/:?#]|$)').find(r'public\.ecr\.aws|ecr\-public\.aws\.com|[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9][a-z0-9_-]{0,62}\.(?:on\.amazonwebservices\.com\.cn|amazonaws\.com\.cn|cloud\.adc\-e\.uk|csp\.hci\.ic\.gov|amazonaws\.com|sc2s\.sgov\.gov|amazonaws\.eu|c2s\.ic\.gov|on\.aws)')})
    .map(h, {'text': h.text, 'host': h.host, 'rest': h.host.size() > 20 ? h.host.substring(20) : '..'})
    .map(h, {'text': h.text, 'host': h.host, 'fips': h.rest.split('.')[0], 'region': h.rest.split('.')[1],
      'dual_stack': h.rest.split('.')[2] == 'on' ? 'on' : ''})
    .map(h, {'text': h.text, 'host': h.host, 'dual_stack': h.dual_stack,
      'fips': h.region.matches('^fips-.|.-fips$') ? '-fips' : h.fips,
      'region': h.region.matches('^fips-.') ? h.region.substring(5)
        : h.region.matches('.-fips$') ? h.region.substring(0, h.region.size() - 5) : h.region})
- name: of_registries
  expression: |-
    variables.registries.size() > 401 ? ['pullkeeper.dev/registries: found ' + string(variables.registries.size()) + ' parts' + ', expected ' + 'at most 200, the number that fits into one Secret']
    : variables.hosts.size() > 200 ? ['pullkeeper.dev/registries: found ' + string(variables.hosts.size()) + ' hosts' + ', expected ' + 'at most 200, the number that fits into one Secret']
    : variables.hosts.size() == 0 ? ['pullkeeper.dev/registries: found ' + ('pullkeeper.dev/registries' in variables.annotations ? 'no registry host' : 'no annotation, and no default in the settings') + ', expected ' + 'at least one host: "ACCOUNT.dkr.ecr.REGION.amazonaws.com" (or its form in another partition) or "public.ecr.aws"']
    : variables.invalid_hosts.map(h, 'pullkeeper.dev/registries: found ' + [('"' + h.text + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + (h.host == '' ? '"ACCOUNT.dkr.ecr.REGION.amazonaws.com" (or its form in another partition) or "public.ecr.aws"'
      : h.host.matches(r'^(?:public\.ecr\.aws|ecr\-public\.aws\.com|[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.(?:(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)|(?:cn)-[a-z]{2,20}-[0-9]{1,2}\.(?:on\.amazonwebservices\.com\.cn|amazonaws\.com\.cn)|(?:eusc-de)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.eu)|(?:us-iso)-[a-z]{2,20}-[0-9]{1,2}\.(?:c2s\.ic\.gov)|(?:us-isob)-[a-z]{2,20}-[0-9]{1,2}\.(?:sc2s\.sgov\.gov)|(?:eu-isoe)-[a-z]{2,20}-[0-9]{1,2}\.(?:cloud\.adc\-e\.uk)|(?:us-isof)-[a-z]{2,20}-[0-9]{1,2}\.(?:csp\.hci\.ic\.gov)|(?:us-gov)-[a-z]{2,20}-[0-9]{1,2}\.(?:amazonaws\.com|on\.aws)))$') ? 'only the host, in lower case: "' + h.host + '"'
      : variables.partitions.exists(x, h.region.matches(x.regions))
      ? variables.partitions.filter(x, h.region.matches(x.regions)).map(x, '"' + h.host.substring(0, 12)
        + (h.dual_stack == 'on' && x.dual_stack_suffix != '' ? '.dkr-ecr' : '.dkr.ecr') + h.fips + '.' + h.region + '.' + (h.dual_stack == 'on' && x.dual_stack_suffix != '' ? x.dual_stack_suffix : x.suffix)
        + '": ' + h.region + ' is a region of the partition ' + x.name)[0]
      : 'a region such as eu-west-1, in "ACCOUNT.dkr.ecr.REGION.amazonaws.com" (or its form in another partition) or "public.ecr.aws"' + '; "' + h.region + '" is none'))
- name: host_partitions
  expression: |-
    variables.valid_hosts.map(h, {'host': string(h), 'region': (h in ['public.ecr.aws', 'ecr-public.aws.com'] ? 'us-east-1' : h.substring(20).split('.')[1]), 'account': (h in ['public.ecr.aws', 'ecr-public.aws.com'] ? '' : h.substring(0, 12))})
    .map(h, {'host': h.host, 'account': h.account,
      'partition': variables.partitions.filter(x, h.region.matches(x.regions))[0].name})
- name: named_roles
  expression: |-
    'pullkeeper.dev/role-arn' in variables.annotations ? (variables.annotations['pullkeeper.dev/role-arn'] + '\n').replace(',\n', '\n').replace(', arn:', '\narn:').replace(',arn:', '\narn:').split('\n').map(p, p.trim() != '', p.trim()) : []
- name: not_roles
  expression: |-
    variables.named_roles.size() > 20 ? [] : variables.named_roles.filter(r, !r.matches(r'^(?:arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12}):role/(?:[!-~]{1,510}/)?[A-Za-z0-9+=,.@_-]{1,64})$'))
- name: roles
  expression: |-
    variables.named_roles.size() > 20 || variables.not_roles.size() > 0 ? []
    : variables.named_roles.map(r, {'arn': r, 'partition': r.split(':')[1], 'account': r.split(':')[4]})
- name: served
  expression: |-
    variables.host_partitions.map(h, {'host': h.host, 'partition': h.partition, 'account': h.account,
      'role': variables.roles.filter(r, variables.roles.size() == 1
        || (h.account == '' ? r.partition == 'aws' : r.account == h.account)).map(r, r.arn).join(' ').split(' ')[0]})
- name: of_roles
  expression: |-
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19].filter(i, variables.roles.size() > 1 && i < variables.roles.size())].map(range,
    range.filter(i, range.exists(j, j < i && variables.roles[j].account == variables.roles[i].account)).map(i, variables.roles[i]).map(r,
        'pullkeeper.dev/role-arn: found ' + [('"' + r.arn + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'one role for each account, of which there is already ' + variables.roles.filter(o, o.account == r.account)[0].arn)
    + [variables.served.filter(h, h.role == '')].map(found, found.size() == 0 ? [] : [found[0]])[0]
      .map(h, 'pullkeeper.dev/role-arn: found ' + 'no role for ' + h.host + ', expected ' + (h.account == '' ? 'one of the partition aws' : 'one of its account ' + h.account))
    + [variables.served.filter(h, h.role != '' && h.role.split(':')[1] != h.partition)]
      .map(found, found.size() == 0 ? [] : [found[0]])[0]
      .map(h, 'pullkeeper.dev/role-arn: found ' + 'a role of the partition ' + h.role.split(':')[1] + ', expected ' + 'one of ' + h.partition + ', the partition of ' + h.host + ': credentials are not valid across partitions')
    + range.filter(i, variables.served.size() > 0 && !range.exists(j, j < i && variables.roles[j].account == variables.roles[i].account) && !variables.served.exists(h, h.role == variables.roles[i].arn))
      .map(i, 'pullkeeper.dev/role-arn: found ' + [('"' + variables.roles[i].arn + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'a role of the account of one of the registries: of several roles each serves its own account'))[0]
- name: of_identity
  expression: |-
    'pullkeeper.dev/role-arn' in variables.annotations && 'pullkeeper.dev/service-account-name' in variables.annotations ? ['pullkeeper.dev/role-arn: found ' + 'pullkeeper.dev/service-account-name beside it' + ', expected ' + 'one of the two']
    : 'pullkeeper.dev/service-account-name' in variables.annotations ? (variables.annotations['pullkeeper.dev/service-account-name'].matches(r'^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)$') ? []
      : ['pullkeeper.dev/service-account-name: found ' + [('"' + variables.annotations['pullkeeper.dev/service-account-name'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'the name of a ServiceAccount of this namespace'])
    : !('pullkeeper.dev/role-arn' in variables.annotations) ? []
    : variables.named_roles.size() == 0 ? ['pullkeeper.dev/role-arn: found ' + [('"' + variables.annotations['pullkeeper.dev/role-arn'] + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + '"arn:PARTITION:iam::ACCOUNT:role/NAME"']
    : variables.named_roles.size() > 20
    ? ['pullkeeper.dev/role-arn: found ' + string(variables.named_roles.size()) + ' roles' + ', expected ' + 'at most 20']
    : variables.not_roles.size() > 0
    ? variables.not_roles.map(r, 'pullkeeper.dev/role-arn: found ' + [('"' + r + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + (r.contains(':sts:') && r.contains(':assumed-role/') ? 'the ARN of the role, not of a session of it: "arn:PARTITION:iam::ACCOUNT:role/NAME"'
        : r.startsWith('arn:') && !r.contains(':role/') ? 'a role, since nothing else can be assumed: "arn:PARTITION:iam::ACCOUNT:role/NAME"'
        : '"arn:PARTITION:iam::ACCOUNT:role/NAME"'))
    : variables.of_roles
- name: attach_to
  expression: |-
    'pullkeeper.dev/attach-to-service-accounts' in variables.annotations ? variables.annotations['pullkeeper.dev/attach-to-service-accounts'].replace('\n', ',').split(',') : []
- name: accounts
  expression: |-
    variables.attach_to.size() > 401 ? [] : variables.attach_to.map(p, p.trim() != '', p.trim())
- name: not_accounts
  expression: |-
    variables.accounts.size() > 200 || variables.accounts.all(n, n == '*') ? []
    : variables.accounts.filter(n, !n.matches(r'^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)$'))
- name: of_accounts
  expression: |-
    variables.attach_to.size() > 401 ? ['pullkeeper.dev/attach-to-service-accounts: found ' + string(variables.attach_to.size()) + ' parts' + ', expected ' + 'at most 200 names of ServiceAccounts, or "*" alone for all of the namespace']
    : variables.accounts.size() > 200 && !variables.accounts.all(n, n == '*') ? ['pullkeeper.dev/attach-to-service-accounts: found ' + string(variables.accounts.size()) + ' names' + ', expected ' + 'at most 200 names of ServiceAccounts, or "*" alone for all of the namespace']
    : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter(i, i < variables.not_accounts.size()).map(i, variables.not_accounts[i]).map(n, 'pullkeeper.dev/attach-to-service-accounts: found ' + [('"' + n + '"')].map(q, q.size() > 121 ? q.substring(0, 121) : q).map(q, q.replace('\n', '\\n').replace('\r', '\\r').replace('\t', '\\t')).map(q, q.size() > 120 ? q.substring(0, 119) + '…' : q).map(q, q.matches(r'^(?:[ \p{L}\p{M}\p{N}\p{P}\p{S}]*)$') ? q : 'a value that cannot be shown')[0] + ', expected ' + 'at most 200 names of ServiceAccounts, or "*" alone for all of the namespace')
- name: may_ask
  expression: |-
    variables.of_class && !('pullkeeper.dev/enabled' in variables.annotations && variables.annotations['pullkeeper.dev/enabled'] == 'false')
- name: judged
  expression: |-
    variables.may_ask && !variables.excluded && variables.too_long.size() == 0
    && ('pullkeeper.dev/enabled' in variables.annotations || variables.of_keys.size() > 0 || variables.opted_in)
- name: problems
  expression: |-
    !variables.may_ask ? []
    : variables.excluded ? ['pullkeeper.dev/*: found a namespace that the installation excludes (`excludedNamespaces` in the settings), expected no annotation of Pullkeeper here: there is no pull Secret in this namespace, whatever it asks for']
    : variables.too_long.size() > 0 ? variables.of_keys + variables.too_long
    : !variables.judged ? []
    : [variables.of_keys + variables.of_registries + variables.of_identity + variables.of_accounts]
      .map(all, all.size() > 0 ? all : 'pullkeeper.dev/attach-to-service-accounts' in variables.annotations && !variables.attaches ? ['pullkeeper.dev/attach-to-service-accounts has no effect, because this installation does not change ServiceAccounts: its operator can enable that in the settings with `serviceAccountAttachment: true`'] : [])[0]
- name: message
  expression: |-
    [variables.problems.size() + (variables.judged ? (variables.not_hosts.size() > 10 ? variables.not_hosts.size() - 10 : 0) + (variables.not_accounts.size() > 10 ? variables.not_accounts.size() - 10 : 0) : 0)]
    .map(n, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter(i, i < variables.problems.size()).map(i, variables.problems[i]).join('; ')
      + (n > 10 ? '; and ' + string(n - 10) + ' more' : ''))
    .map(m, m.size() > 1024 ? m.substring(0, 1023) + '…' : m)[0]
{{- end }}
