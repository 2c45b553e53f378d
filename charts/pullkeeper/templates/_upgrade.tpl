{{- /*
What an upgrade finds of the release in the cluster. Nothing is found without a cluster (`helm template`, and tools that render with it), or at an
install; docs/upgrade.md says what to mind then.
*/ -}}

{{- /* The settings file that is in force, or nothing. */ -}}
{{- define "pullkeeper.previousSettings" -}}
{{- if .Release.IsUpgrade }}
{{- $found := lookup "v1" "ConfigMap" (include "pullkeeper.namespace" .) (include "pullkeeper.fullname" .) }}
{{- dig "data" "settings.yaml" "" (default dict $found) }}
{{- end }}
{{- end }}

{{- define "pullkeeper.upgradeProblems" }}
{{- if .Release.IsUpgrade }}
{{- $own := include "pullkeeper.selectorLabels" . | fromYaml }}
{{- range (lookup "apps/v1" "Deployment" (include "pullkeeper.namespace" .) "").items }}
{{- $labels := default dict .metadata.labels }}
{{- $chart := get $labels "helm.sh/chart" | default "" }}
{{- $component := get $labels "app.kubernetes.io/component" }}
{{- if and (eq (get $labels "app.kubernetes.io/instance") $.Release.Name) (eq $component "controller") (hasPrefix (print $.Chart.Name "-") $chart) }}
{{- $where := ternary "fullnameOverride" "nameOverride" (empty $.Values.nameOverride) }}
{{- if ne .metadata.name (include "pullkeeper.fullname" $) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" (get $.Values $where) "expected" (printf "what names the Deployment %q: another name is a second controller with another ServiceAccount (and subject in IAM) and another Lease: uninstall and install instead" .metadata.name)) }}
{{- else if ne (toJson .spec.selector.matchLabels) (toJson $own) }}
{{- include "pullkeeper.problem" (dict "where" "nameOverride" "found" $.Values.nameOverride "expected" (printf "what gives the label app.kubernetes.io/name=%s, because the selector of a Deployment cannot change: uninstall and install instead" (get .spec.selector.matchLabels "app.kubernetes.io/name"))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
