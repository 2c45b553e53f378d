{{- /*
Which namespaces the settings select, as CEL for admission policies: the same as pullkeeper.domain.config decides (policy.py, label_selector.py,
pattern.py); tests/control_plane/test_injection.py holds the two to the same answer.
*/ -}}

{{- /* Whether a text matches one of some patterns, in which `*` stands for anything. A dict: patterns (a list or one), and the CEL of the text. */ -}}
{{- define "pullkeeper.celMatchesAny" -}}
{{- $regexps := list }}
{{- range ternary .patterns (list .patterns) (kindIs "slice" .patterns) }}{{ $regexps = append $regexps (regexQuoteMeta . | replace "\\*" ".*") }}{{ end }}
{{- if $regexps }}{{ .text }}.matches({{ printf "^(?:%s)$" (join "|" $regexps) | toJson }}){{ else }}false{{ end }}
{{- end }}

{{- /* Whether labels meet a label selector. A dict: selector, and the CEL of the labels, a map. */ -}}
{{- define "pullkeeper.celSelects" -}}
{{- $labels := .labels }}
{{- $met := list }}
{{- range $key, $value := default dict .selector.matchLabels }}
{{- $met = append $met (printf "(%s in %s && %s[%s] == %s)" (toJson $key) $labels $labels (toJson $key) (toJson $value)) }}
{{- end }}
{{- range default list .selector.matchExpressions }}
{{- $key := toJson .key }}
{{- $there := printf "%s in %s" $key $labels }}
{{- $listed := printf "(%s && %s[%s] in %s)" $there $labels $key (default list .values | toJson) }}
{{- $met = append $met (get (dict "In" $listed "NotIn" (print "!" $listed) "Exists" (printf "(%s)" $there) "DoesNotExist" (printf "!(%s)" $there)) .operator) }}
{{- end }}
{{- /* No selector applies to a Namespace with more labels than are read. */}}
{{- $met = append $met (printf "size(%s) <= 200" $labels) }}
{{- join " && " $met }}
{{- end }}

{{- /* Whether settings.optIn opts a namespace in. A dict: root, and the CEL of the Namespace and of its labels, a map. */ -}}
{{- define "pullkeeper.celOptsIn" -}}
{{- $name := print .namespace ".metadata.name" }}
{{- $optIn := default dict .root.Values.settings.optIn }}
{{- $selector := get $optIn "namespaceSelector" }}
{{- $conditions := list }}
{{- if hasKey $optIn "namespaces" }}{{ $conditions = append $conditions (include "pullkeeper.celMatchesAny" (dict "patterns" $optIn.namespaces "text" $name)) }}{{ end }}
{{- if kindIs "map" $selector }}{{ $conditions = append $conditions (include "pullkeeper.celSelects" (dict "selector" $selector "labels" .labels)) }}{{ end }}
{{- if $conditions }}
{{- with $optIn.exclude }}{{ $conditions = append $conditions (print "!" (include "pullkeeper.celMatchesAny" (dict "patterns" . "text" $name))) }}{{ end }}
{{- join " && " $conditions }}
{{- else }}false
{{- end }}
{{- end }}

{{- /* Patterns of the namespaces that settings.excludedNamespaces excludes, as a JSON array; without a value they are the controller's default. */ -}}
{{- define "pullkeeper.excludedPatterns" -}}
{{- $given := get .Values.settings "excludedNamespaces" }}
{{- ternary $given (list "kube-system") (kindIs "slice" $given) | toJson }}
{{- end }}

{{- /* Whether settings.excludedNamespaces excludes a namespace. A dict: root, and the CEL of the namespace's name. */ -}}
{{- define "pullkeeper.celExcludes" -}}
{{- include "pullkeeper.celMatchesAny" (dict "patterns" (include "pullkeeper.excludedPatterns" .root | fromJsonArray) "text" .name) }}
{{- end }}
