{{- /* The settings file: what the values say, and what the chart knows better. Empty maps are left out: the controller takes them as an attempt to say something. */ -}}
{{- define "pullkeeper.settings" -}}
{{- $settings := dict }}
{{- range $key, $value := .Values.settings }}
{{- if not (or (kindIs "invalid" $value) (and (kindIs "map" $value) (empty $value))) }}
{{- $_ := set $settings $key $value }}
{{- end }}
{{- end }}
{{- $_ := set $settings "allowNodeInstanceRole" (eq .Values.aws.credentials "nodeRole") }}
{{- $_ := set $settings "leaderElection" .Values.leaderElection }}
{{- if .Values.leaderElection }}
{{- $_ := set $settings "leaseName" (include "pullkeeper.fullname" .) }}
{{- $_ := set $settings "leaseNamespace" (include "pullkeeper.namespace" .) }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- /* Settings that the controller takes over by itself, so that a change of them restarts nothing: controller/pullkeeper/app/policy_reloader.py. */ -}}
{{- define "pullkeeper.liveSettings" -}}
registries clusterName roles controllerIdentity serviceAccountIdentity optIn attachToServiceAccounts
{{- end }}

{{- define "pullkeeper.restartChecksum" -}}
{{- $settings := include "pullkeeper.settings" . | fromYaml }}
{{- range splitList " " (include "pullkeeper.liveSettings" .) }}
{{- $_ := unset $settings . }}
{{- end }}
{{- toYaml $settings | sha256sum }}
{{- end }}
