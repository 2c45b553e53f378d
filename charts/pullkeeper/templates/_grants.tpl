{{- /*
Checks of what the settings grant, as pullkeeper.domain.config.policy_parser makes them: the controller does not start with what is refused
there. tests/chart/test_limits.py compares both.
*/ -}}
{{- define "pullkeeper.grantProblems" }}
{{- $settings := .Values.settings }}
{{- range $index, $grant := $settings.roles }}
{{- $where := printf "settings.roles[%d]" $index }}
{{- include "pullkeeper.grantedRoleProblem" (dict "where" (print $where ".role") "found" (default "" $grant.role)) }}
{{- include "pullkeeper.matcherProblem" (dict "where" $where "given" $grant) }}
{{- include "pullkeeper.namesProblems" (dict "where" $where "given" $grant) }}
{{- if hasKey $grant "externalId" }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".externalId") "found" $grant.externalId "pattern" (include "pullkeeper.externalIdPattern" $) "longest" (include "pullkeeper.maxExternalId" $) "expected" (printf "2 to %s letters, digits and characters of +=,.@:/-_" (include "pullkeeper.maxExternalId" $))) }}
{{- end }}
{{- include "pullkeeper.externalIdProblem" (dict "where" $where "grant" $grant "earlier" (slice $settings.roles 0 $index)) }}
{{- end }}
{{- range $key := list "controllerIdentity" "serviceAccountIdentity" "optIn" }}
{{- with get $settings $key }}
{{- if ne $key "controllerIdentity" }}
{{- include "pullkeeper.matcherProblem" (dict "where" (print "settings." $key) "given" .) }}
{{- end }}
{{- include "pullkeeper.namesProblems" (dict "where" (print "settings." $key) "given" .) }}
{{- end }}
{{- end }}
{{- $identity := default dict $settings.serviceAccountIdentity }}
{{- if hasKey $identity "audiences" }}
{{- range default (list "") $identity.audiences }}
{{- $pattern := ternary "" (include "pullkeeper.grantedAudiencePattern" .) (hasPrefix (include "pullkeeper.apiServerPrefix" .) .) }}
{{- include "pullkeeper.patternProblem" (dict "where" "settings.serviceAccountIdentity.audiences" "found" . "pattern" $pattern "expected" "client IDs of IAM OIDC providers, none of the API server") }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pullkeeper.grantedRoleProblem" }}
{{- $pattern := printf "%s|arn:aws[a-z-]*:iam::[0-9*]{1,12}:role/[!-~]*[*][!-~]*|arn:aws[a-z-]*:iam::[0-9]*[*][0-9*]*:role/[!-~]+" (include "pullkeeper.rolePattern" .) }}
{{- include "pullkeeper.patternProblem" (dict "where" .where "found" .found "pattern" $pattern "expected" "\"arn:PARTITION:iam::ACCOUNT:role/NAME\", where * matches any characters") }}
{{- end }}

{{- define "pullkeeper.matcherProblem" }}
{{- if not (or (hasKey .given "namespaces") (hasKey .given "namespaceSelector")) }}
{{- include "pullkeeper.problem" (dict "where" .where "expected" "`namespaces` (name patterns), `namespaceSelector` or both") }}
{{- end }}
{{- end }}

{{- /* Problems of the names and the selector in a grant. A dict: where, given. */ -}}
{{- define "pullkeeper.namesProblems" }}
{{- $where := .where }}
{{- $given := .given }}
{{- range $key, $pattern := dict "namespaces" (include "pullkeeper.namespacePattern" .) "exclude" (include "pullkeeper.namespacePattern" .) "registries" (include "pullkeeper.grantedHostPattern" .) }}
{{- $found := ternary (get $given $key) list (hasKey $given $key) }}
{{- range $name := ternary (list $found) $found (kindIs "string" $found) }}
{{- include "pullkeeper.patternProblem" (dict "where" (printf "%s.%s" $where $key) "found" $name "pattern" $pattern "expected" "a list of names in lower case, where * matches any characters") }}
{{- end }}
{{- end }}
{{- range $index, $expression := default dict $given.namespaceSelector | dig "matchExpressions" list }}
{{- $needs := has $expression.operator (list "In" "NotIn") }}
{{- if ne $needs (not (empty $expression.values)) }}
{{- $expected := ternary (print "values for the operator " $expression.operator) (print "no values for the operator " $expression.operator) $needs }}
{{- include "pullkeeper.problem" (dict "where" (printf "%s.namespaceSelector.matchExpressions[%d].values" $where $index) "found" (join ", " $expression.values) "expected" $expected) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A problem if an earlier grant covers a role of this one with another ExternalId: it is not clear which one holds. A dict: where, grant, earlier. */ -}}
{{- define "pullkeeper.externalIdProblem" }}
{{- $grant := .grant }}
{{- $reported := false }}
{{- range $index, $other := .earlier }}
{{- if and (not $reported) (ne (toJson $grant.externalId) (toJson $other.externalId)) $grant.role $other.role (include "pullkeeper.overlap" (list $grant.role $other.role)) }}
{{- $reported = true }}
{{- include "pullkeeper.problem" (dict "where" (print $.where ".externalId") "found" $grant.externalId "expected" (printf "the same as in settings.roles[%d], whose %s covers roles of %s" $index $other.role $grant.role)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Not empty if some text matches both patterns, in which * matches any characters. A list of two. */ -}}
{{- define "pullkeeper.overlap" }}
{{- $one := index . 0 }}
{{- $other := index . 1 }}
{{- if not (contains "*" $one) }}
{{- if regexMatch (include "pullkeeper.asExpression" $other) $one }}yes{{ end }}
{{- else if not (contains "*" $other) }}
{{- if regexMatch (include "pullkeeper.asExpression" $one) $other }}yes{{ end }}
{{- else }}
{{- $begin := list (splitList "*" $one | first) (splitList "*" $other | first) }}
{{- $end := list (splitList "*" $one | last) (splitList "*" $other | last) }}
{{- $beginsAlike := or (hasPrefix (first $begin) (last $begin)) (hasPrefix (last $begin) (first $begin)) }}
{{- if and $beginsAlike (or (hasSuffix (first $end) (last $end)) (hasSuffix (last $end) (first $end))) }}yes{{ end }}
{{- end }}
{{- end }}

{{- define "pullkeeper.asExpression" }}^{{ regexQuoteMeta . | replace `\*` ".*" }}${{ end }}
