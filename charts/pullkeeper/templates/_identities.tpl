{{- /*
Checks of aws.identities, as pullkeeper.domain.config.policy_parser makes them: the controller does not start with what is refused there.
*/ -}}
{{- define "pullkeeper.identitiesProblems" }}
{{- $names := list }}
{{- range $index, $identity := .Values.aws.identities }}
{{- $where := printf "aws.identities[%d]" $index }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".name") "found" $identity.name "pattern" (include "pullkeeper.identityNamePattern" $) "expected" "at most 32 lower case letters, digits and '-'") }}
{{- if has $identity.name $names }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".name") "found" $identity.name "expected" "each name once") }}
{{- end }}
{{- $names = append $names $identity.name }}
{{- include "pullkeeper.namesProblems" (dict "where" $where "given" $identity) }}
{{- include "pullkeeper.identitySourceProblems" (dict "where" $where "identity" $identity "context" $) }}
{{- include "pullkeeper.identityPartitionProblems" (dict "where" $where "identity" $identity "context" $) }}
{{- end }}
{{- end }}

{{- /* Problems of what no call could make right: credentials are valid in one partition only. A dict: where, identity, context. */ -}}
{{- define "pullkeeper.identityPartitionProblems" }}
{{- $where := .where }}
{{- $region := default "" .identity.region }}
{{- $ofRegion := include "pullkeeper.partitionOf" $region }}
{{- if and $region (not $ofRegion) }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".region") "found" $region "expected" "a region such as \"eu-west-1\"") }}
{{- end }}
{{- $ofRole := index (splitList ":" (print .identity.roleArn ":")) 1 }}
{{- $partition := ternary $ofRole $ofRegion (has .identity.credentials (list "webIdentity" "rolesAnywhere")) }}
{{- if and $ofRegion $partition (ne $ofRegion $partition) }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".region") "found" $region "expected" (printf "a region of %s, the partition of its role" $partition)) }}
{{- end }}
{{- if $partition }}
{{- $registries := .identity.registries }}
{{- range ternary (list $registries) $registries (kindIs "string" $registries) }}
{{- if not (include "pullkeeper.mayBeOf" (dict "partition" $partition "pattern" . "context" $.context)) }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".registries") "found" . "expected" (printf "registries of %s, the partition of its credentials" $partition)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The partition of a region, empty if no partition names its regions so. */ -}}
{{- define "pullkeeper.partitionOf" -}}
{{- range $name, $partition := include "pullkeeper.partitions" . | fromYaml }}
{{- if regexMatch (printf "^(?:%s)$" $partition.region) $ }}{{ $name }}{{ end }}
{{- end }}
{{- end }}

{{- /* Not empty if a pattern of registry hosts matches any of a partition. A dict: partition, pattern, context. */ -}}
{{- define "pullkeeper.mayBeOf" }}
{{- $pattern := .pattern }}
{{- $known := get (include "pullkeeper.partitions" . | fromYaml) .partition }}
{{- if not $known }}
{{- else if contains "*" $pattern }}
{{- range $known.hosts }}{{ include "pullkeeper.overlap" (list $pattern .) }}{{ end }}
{{- else if has $pattern $known.hosts }}yes
{{- else if regexMatch (printf "^(?:%s)$" (include "pullkeeper.hostPattern" .context)) $pattern | and (regexMatch (printf `\.(?:%s)\.` $known.region) $pattern) }}yes
{{- end }}
{{- end }}

{{- /* Problems of what an identity's credentials need, and of what they do not use. A dict: where, identity, context. */ -}}
{{- define "pullkeeper.identitySourceProblems" }}
{{- $where := .where }}
{{- $identity := .identity }}
{{- $kind := $identity.credentials }}
{{- $role := default "" $identity.roleArn }}
{{- if has $kind (list "webIdentity" "rolesAnywhere") }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".roleArn") "found" $role "pattern" (include "pullkeeper.rolePattern" .context) "expected" (printf "the ARN of an IAM role, \"arn:PARTITION:iam::ACCOUNT:role/NAME\", as credentials=%s requires" $kind)) }}
{{- end }}
{{- if eq $kind "webIdentity" }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".audience") "found" (default "sts.amazonaws.com" $identity.audience) "pattern" (include "pullkeeper.audiencePattern" .) "expected" "a client ID of the IAM OIDC provider, such as \"sts.amazonaws.com\"") }}
{{- else if eq $kind "rolesAnywhere" }}
{{- $none := dict "trustAnchorArn" "" "profileArn" "" "existingSecret" "" }}
{{- include "pullkeeper.anchorProblems" (dict "where" $where "given" (default $none $identity.rolesAnywhere) "roleArn" $role) }}
{{- else if eq $kind "secret" }}
{{- include "pullkeeper.nameProblem" (dict "where" (print $where ".existingSecret") "found" (default "" $identity.existingSecret) "what" "Secret") }}
{{- else if eq $kind "profile" }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".profile") "found" (default "" $identity.profile) "pattern" (include "pullkeeper.profilePattern" .) "expected" "the name of a profile of the shared configuration") }}
{{- end }}
{{- $used := dict "webIdentity" (list "roleArn" "audience") "rolesAnywhere" (list "roleArn" "rolesAnywhere") "secret" (list "existingSecret") "profile" (list "profile") }}
{{- range $key := without (list "roleArn" "audience" "existingSecret" "profile" "rolesAnywhere") (index (get $used $kind) 0) (last (get $used $kind)) }}
{{- with get $identity $key }}
{{- include "pullkeeper.problem" (dict "where" (printf "%s.%s" $where $key) "found" (ternary . "a mapping" (kindIs "string" .)) "expected" (printf "nothing, because credentials=%s does not use it" $kind)) }}
{{- end }}
{{- end }}
{{- end }}
