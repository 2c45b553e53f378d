{{- /* The settings file: the values, and what the chart derives. Empty maps are left out because the controller rejects them as incomplete; but a file from which `optIn` vanishes is rejected as well. */ -}}
{{- define "pullkeeper.settings" -}}
{{- $settings := dict }}
{{- range $key, $value := .Values.settings }}
{{- if not (or (kindIs "invalid" $value) (and (kindIs "map" $value) (empty $value))) }}
{{- $_ := set $settings $key $value }}
{{- end }}
{{- end }}
{{- $_ := set $settings "allowNodeInstanceRole" (eq .Values.aws.credentials "nodeRole") }}
{{- if eq .Values.aws.credentials "rolesAnywhere" }}
{{- $anchor := .Values.aws.rolesAnywhere }}
{{- $folder := trimSuffix "/" $anchor.folder | default "/var/run/secrets/pullkeeper.dev/certificate" }}
{{- $_ := set $settings "rolesAnywhere" (dict "trustAnchorArn" $anchor.trustAnchorArn "profileArn" $anchor.profileArn "roleArn" .Values.aws.roleArn "certificateFile" (print $folder "/tls.crt") "keyFile" (print $folder "/tls.key")) }}
{{- end }}
{{- $identities := list }}
{{- range .Values.aws.identities }}
{{- $identities = append $identities (include "pullkeeper.identitySettings" . | fromYaml) }}
{{- end }}
{{- with $identities }}
{{- $_ := set $settings "identities" . }}
{{- end }}
{{- $_ := set $settings "podInjection" (not (empty (include "pullkeeper.injectionVersion" .))) }}
{{- $_ := set $settings "admissionFence" (not (empty (include "pullkeeper.fence" .))) }}
{{- with include "pullkeeper.watchedServiceAccounts" . }}
{{- $_ := set $settings "watchedServiceAccounts" (fromJsonArray .) }}
{{- end }}
{{- $_ := set $settings "leaderElection" .Values.leaderElection }}
{{- if .Values.leaderElection }}
{{- $_ := set $settings "leaseName" (include "pullkeeper.fullname" .) }}
{{- $_ := set $settings "leaseNamespace" (include "pullkeeper.namespace" .) }}
{{- end }}
{{- if not (hasKey $settings "optIn") }}
{{- $_ := set $settings "optIn" (dict "namespaces" list) }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- /* The settings of one of aws.identities: whose files are where pullkeeper.identityVolumes mounts them. */ -}}
{{- define "pullkeeper.identitySettings" -}}
{{- $folder := print "/var/run/secrets/pullkeeper.dev/identities/" .name }}
{{- $settings := pick . "name" "registries" "namespaces" "namespaceSelector" "region" }}
{{- if eq .credentials "webIdentity" }}
{{- $_ := set $settings "webIdentity" (dict "roleArn" .roleArn "tokenFile" (print $folder "/token") "audience" (default "sts.amazonaws.com" .audience)) }}
{{- else if eq .credentials "rolesAnywhere" }}
{{- $_ := set $settings "rolesAnywhere" (dict "trustAnchorArn" .rolesAnywhere.trustAnchorArn "profileArn" .rolesAnywhere.profileArn "roleArn" .roleArn "certificateFile" (print $folder "/tls.crt") "keyFile" (print $folder "/tls.key")) }}
{{- else if eq .credentials "secret" }}
{{- $_ := set $settings "keysFile" (print $folder "/credentials") }}
{{- else }}
{{- $_ := set $settings "profile" .profile }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- /* Settings that the controller reloads (pullkeeper.app.policy_reloader), so that changing them does not restart the pods. */ -}}
{{- define "pullkeeper.liveSettings" -}}
class registries clusterName roles controllerIdentity serviceAccountIdentity optIn excludedNamespaces attachToServiceAccounts podInjection admissionFence
{{- end }}

{{- define "pullkeeper.restartChecksum" -}}
{{- $settings := include "pullkeeper.settings" . | fromYaml }}
{{- range splitList " " (include "pullkeeper.liveSettings" .) }}
{{- $_ := unset $settings . }}
{{- end }}
{{- toYaml $settings | sha256sum }}
{{- end }}
