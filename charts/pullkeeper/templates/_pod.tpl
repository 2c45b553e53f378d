{{- /* What all pods of the chart have in common, apart from their containers. */ -}}
{{- define "pullkeeper.podCommons" -}}
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with include "pullkeeper.imagePullSecrets" . | fromYamlArray }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
{{- if kindIs "bool" .Values.hostUsers }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- with default (ternary "ClusterFirstWithHostNet" "" .Values.hostNetwork) .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The Secrets for the chart's own image: those of the chart, then those of all charts, each once. */ -}}
{{- define "pullkeeper.imagePullSecrets" -}}
{{- $secrets := list }}
{{- range concat (default list .Values.imagePullSecrets) (get (default dict .Values.global) "imagePullSecrets" | default list) }}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) }}
{{- end }}
{{- uniq $secrets | toYaml }}
{{- end }}

{{- /* What all containers of the chart have in common. */ -}}
{{- define "pullkeeper.containerCommons" -}}
image: {{ include "pullkeeper.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [pullkeeper]
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Environment and mounts of a container that calls AWS. */ -}}
{{- define "pullkeeper.awsContainer" -}}
{{- $config := dict "name" "PULLKEEPER_CONFIG" "value" "/etc/pullkeeper/settings.yaml" }}
{{- $env := concat (list $config) (include "pullkeeper.awsEnv" . | fromYamlArray) (default list .Values.extraEnv) }}
{{- with $env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: settings
    mountPath: /etc/pullkeeper
    readOnly: true
  {{- if eq .Values.aws.credentials "webIdentity" }}
  - name: aws-token
    mountPath: /var/run/secrets/pullkeeper.dev/aws
    readOnly: true
  {{- end }}
  {{- if and (eq .Values.aws.credentials "rolesAnywhere") .Values.aws.rolesAnywhere.existingSecret }}
  - name: aws-certificate
    mountPath: /var/run/secrets/pullkeeper.dev/certificate
    readOnly: true
  {{- end }}
  {{- if eq .Values.aws.credentials "secret" }}
  - name: aws-keys
    mountPath: /var/run/secrets/pullkeeper.dev/keys
    readOnly: true
  {{- end }}
  {{- range .Values.aws.identities }}
  {{- if ne .credentials "profile" }}
  - name: identity-{{ .name }}
    mountPath: /var/run/secrets/pullkeeper.dev/identities/{{ .name }}
    readOnly: true
  {{- end }}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "pullkeeper.awsEnv" -}}
{{- with .Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- if eq .Values.aws.credentials "webIdentity" }}
- name: AWS_ROLE_ARN
  value: {{ .Values.aws.roleArn | quote }}
- name: AWS_WEB_IDENTITY_TOKEN_FILE
  value: /var/run/secrets/pullkeeper.dev/aws/token
- name: AWS_ROLE_SESSION_NAME
  value: pullkeeper
{{- else if eq .Values.aws.credentials "secret" }}
- name: AWS_SHARED_CREDENTIALS_FILE
  value: /var/run/secrets/pullkeeper.dev/keys/credentials
{{- end }}
{{- end }}

{{- /* Volumes of a pod whose container calls AWS. The ConfigMap is mounted as a directory: a subPath mount is never updated. */ -}}
{{- define "pullkeeper.awsVolumes" -}}
volumes:
  - name: settings
    configMap:
      name: {{ include "pullkeeper.fullname" . }}
  {{- if eq .Values.aws.credentials "webIdentity" }}
  - name: aws-token
    projected:
      sources:
        - serviceAccountToken:
            audience: {{ .Values.aws.audience | quote }}
            expirationSeconds: 3600
            path: token
  {{- end }}
  {{- if and (eq .Values.aws.credentials "rolesAnywhere") .Values.aws.rolesAnywhere.existingSecret }}
  - name: aws-certificate
    secret:
      secretName: {{ .Values.aws.rolesAnywhere.existingSecret | quote }}
      items:
        - {key: tls.crt, path: tls.crt}
        - {key: tls.key, path: tls.key}
  {{- end }}
  {{- if eq .Values.aws.credentials "secret" }}
  - name: aws-keys
    secret:
      secretName: {{ .Values.aws.existingSecret | quote }}
      items:
        - {key: credentials, path: credentials}
  {{- end }}
  {{- range .Values.aws.identities }}
  {{- if ne .credentials "profile" }}
  - name: identity-{{ .name }}
    {{- include "pullkeeper.identityVolume" . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Containers of the user's. A list: the root context, the key of the values. */ -}}
{{- define "pullkeeper.extraContainers" -}}
{{- $root := index . 0 }}
{{- range default list (get $root.Values (index . 1)) }}
- {{ toYaml (merge (deepCopy .) (ternary dict (dict "securityContext" $root.Values.securityContext) (hasKey . "securityContext"))) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "pullkeeper.extraInitContainers" -}}
{{- with include "pullkeeper.extraContainers" (list . "extraInitContainers") }}
initContainers:
  {{- . | trim | nindent 2 }}
{{- end }}
{{- end }}

{{- define "pullkeeper.identityVolume" -}}
{{- if eq .credentials "webIdentity" -}}
projected:
  sources:
    - serviceAccountToken:
        audience: {{ default "sts.amazonaws.com" .audience | quote }}
        expirationSeconds: 3600
        path: token
{{- else if eq .credentials "rolesAnywhere" -}}
secret:
  secretName: {{ .rolesAnywhere.existingSecret | quote }}
  items:
    - {key: tls.crt, path: tls.crt}
    - {key: tls.key, path: tls.key}
{{- else -}}
secret:
  secretName: {{ .existingSecret | quote }}
  items:
    - {key: credentials, path: credentials}
{{- end }}
{{- end }}

{{- define "pullkeeper.probe" -}}
{{- toYaml (mergeOverwrite (dict "httpGet" (dict "path" .path "port" "http")) (deepCopy (default dict .probe))) }}
{{- end }}
