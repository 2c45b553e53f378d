{{- /*
Secrets of other shapes beside the pull Secret (settings.additionalSecrets): what the fence pins of each, and the checks that
pullkeeper.domain.config.additional_secrets makes, too.
*/ -}}

{{- define "pullkeeper.additionalNames" -}}
{{- $names := list }}
{{- range .Values.settings.additionalSecrets }}{{ $names = append $names .name }}{{ end }}
{{- toJson $names }}
{{- end }}

{{- /* CEL of the keys that a Secret may have beside the pull Secret's: their names are those of one shape. A dict: root, part (labels, data). */ -}}
{{- define "pullkeeper.celAdditionalKeys" -}}
{{- $conditions := list }}
{{- $shapes := include "pullkeeper.secretShapes" . | fromYaml }}
{{- $part := .part }}
{{- range .root.Values.settings.additionalSecrets }}
{{- $shape := get $shapes .shape }}
{{- $keys := ternary (keys $shape.labels) (append (keys $shape.fixed) $shape.passwordKey) (eq $part "labels") | sortAlpha }}
{{- if $keys }}{{ $conditions = append $conditions (printf "(variables.name == %s && key in %s)" (toJson .name) (toJson $keys)) }}{{ end }}
{{- end }}
{{- join " || " $conditions }}
{{- end }}

{{- /* Validations of the additional Secrets: each has just the shape that the settings say, in the namespaces that they select. */ -}}
{{- define "pullkeeper.fenceAdditional" }}
{{- $shapes := include "pullkeeper.secretShapes" . | fromYaml }}
{{- range .Values.settings.additionalSecrets }}
{{- $secret := . }}
{{- $shape := get $shapes .shape }}
{{- $conditions := list (printf "object.?type.orValue(\"\") == %s" (toJson $shape.type)) }}
{{- range $key, $value := $shape.labels }}
{{- $conditions = append $conditions (printf "variables.labels[?%s].orValue(\"\") == %s" (toJson $key) (toJson $value)) }}
{{- end }}
{{- range $key, $text := $shape.fixed }}
{{- $text = $text | replace "/@PATH@" (ternary (print "/" $secret.path) "" (not (empty $secret.path))) | replace "@NAME@" $secret.name }}
{{- $text = $text | replace `@HOST\.@` (replace "." `\.` $secret.registry) | replace "@HOST.@" $secret.registry }}
{{- $conditions = append $conditions (printf "variables.data[?%s].orValue(\"\") == %s" (toJson $key) ($text | b64enc | toJson)) }}
{{- end }}
- expression: |-
    object == null || variables.name != {{ toJson .name }} ||
      ({{ join " && " $conditions }})
  message: {{ printf "the fence of Pullkeeper: the Secret %s is laid out as settings.additionalSecrets say" .name | quote }}
- expression: |-
    object == null || variables.name != {{ toJson .name }} || ({{ include "pullkeeper.celMatches" (dict "matcher" . "namespace" "namespaceObject") }})
  message: {{ printf "the fence of Pullkeeper: the Secret %s is in the namespaces that settings.additionalSecrets select" .name | quote }}
{{- end }}
{{- end }}

{{- define "pullkeeper.additionalProblems" }}
{{- $taken := list .Values.settings.secretName }}
{{- $given := default list .Values.settings.additionalSecrets }}
{{- if gt (len $given) (include "pullkeeper.maxAdditionalSecrets" . | int) }}
{{- include "pullkeeper.problem" (dict "where" "settings.additionalSecrets" "found" (printf "%d Secrets" (len $given)) "expected" (print "at most " (include "pullkeeper.maxAdditionalSecrets" .))) }}
{{- end }}
{{- range $index, $secret := $given }}
{{- $where := printf "settings.additionalSecrets[%d]" $index }}
{{- include "pullkeeper.nameProblem" (dict "where" (print $where ".name") "found" $secret.name "what" "Secret") }}
{{- if has $secret.name $taken }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".name") "found" $secret.name "expected" "a name that neither settings.secretName nor another of these has") }}
{{- end }}
{{- $taken = append $taken $secret.name }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".registry") "found" $secret.registry "pattern" (include "pullkeeper.hostPattern" $) "expected" "a registry host, \"ACCOUNT.dkr.ecr.REGION.amazonaws.com\" (or its form in another partition) or \"public.ecr.aws\"") }}
{{- with $secret.path }}
{{- $pattern := ternary (include "pullkeeper.pathPattern" $) "" (eq $secret.shape "argocd-repository") }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".path") "found" . "pattern" $pattern "longest" (include "pullkeeper.maxPath" $) "expected" "the path of a Helm repository, only with the shape argocd-repository") }}
{{- end }}
{{- include "pullkeeper.matcherProblem" (dict "where" $where "given" $secret) }}
{{- include "pullkeeper.namesProblems" (dict "where" $where "given" (omit $secret "registries" "exclude")) }}
{{- end }}
{{- end }}
