{{- /* What the Roles are made from. A map. */ -}}
{{- define "pullkeeper.rights" -}}
{{- $settings := .Values.settings }}
{{- $identity := default dict .Values.rbac.serviceAccountIdentity }}
account: {{ include "pullkeeper.serviceAccountName" . }}
leaderElection: {{ .Values.leaderElection }}
secretNames: {{ prepend (default list .Values.rbac.previousSecretNames) $settings.secretName | uniq | toJson }}
additionalNames: {{ include "pullkeeper.additionalNames" . }}
namespaces: {{ default list $settings.watchNamespaces | toJson }}
attachment: {{ default false $settings.serviceAccountAttachment }}
{{- if $settings.serviceAccountIdentity }}
identity:
  names: {{ default list $identity.names | toJson }}
  namespaces: {{ default (default list $settings.watchNamespaces) $identity.namespaces | toJson }}
  watched: {{ not (empty (include "pullkeeper.watchedServiceAccounts" .)) }}
{{- end }}
{{- end }}

{{- /*
The ServiceAccounts whose roles the controller watches, as a JSON array, or nothing: those that it may create tokens for, where that is granted
wherever it works, where it does not watch all of them for attachment, and where there are no more than the setting takes.
*/ -}}
{{- define "pullkeeper.watchedServiceAccounts" -}}
{{- $settings := .Values.settings }}
{{- $identity := default dict .Values.rbac.serviceAccountIdentity }}
{{- $few := le (len (default list $identity.names)) (include "pullkeeper.maxNames" . | int) }}
{{- if and .Values.rbac.create $settings.serviceAccountIdentity $identity.names $few (not $identity.namespaces) (not $settings.serviceAccountAttachment) }}
{{- toJson $identity.names }}
{{- end }}
{{- end }}

{{- /* All Roles of a controller. A dict: root, name, rights. */ -}}
{{- define "pullkeeper.controllerRoles" }}
{{- $rights := .rights }}
{{- $common := dict "root" .root "account" $rights.account }}
{{- $all := ternary "" (include "pullkeeper.namespaceRules" .) (not (empty $rights.namespaces)) }}
{{- include "pullkeeper.roles" (merge (dict "name" .name "namespaces" $rights.namespaces "own" true "rules" (print $all (include "pullkeeper.rules" $rights))) $common) }}
{{- with $rights.identity }}
{{- $identity := include "pullkeeper.serviceAccountIdentityRules" $rights }}
{{- include "pullkeeper.roles" (merge (dict "name" (print $.name "-service-account-identity") "namespaces" .namespaces "rules" $identity) $common) }}
{{- end }}
{{- if $rights.leaderElection }}
{{- $lease := include "pullkeeper.leaseRules" .root }}
{{- include "pullkeeper.role" (merge (dict "name" (print .name "-leader-election") "namespace" (include "pullkeeper.namespace" .root) "rules" $lease) $common) }}
{{- end }}
{{- end }}

{{- /*
RBAC rules by feature. Rules for Secrets are limited to their names: list and watch requests carry it in their field selector, and a server-side
apply that creates an object is authorized as the creation of that name.
*/ -}}
{{- define "pullkeeper.rules" }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    {{- concat .secretNames .additionalNames | uniq | toYaml | nindent 4 }}
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .attachment }}
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [list, watch, patch]
{{- end }}
{{- end }}

{{- define "pullkeeper.namespaceRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}

{{- /* A Namespace, granted by a Role in that namespace. */ -}}
{{- define "pullkeeper.ownNamespaceRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [{{ . | quote }}]
  verbs: [get, watch]
{{- end }}

{{- define "pullkeeper.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "pullkeeper.fullname" . }}]
  verbs: [get, create, patch]
{{- end }}

{{- define "pullkeeper.serviceAccountIdentityRules" -}}
{{- $names := without .identity.names "*" }}
- apiGroups: [""]
  resources: [serviceaccounts]
  {{- with $names }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get{{ if .identity.watched }}, list, watch{{ end }}]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  {{- with $names }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [create]
{{- end }}

{{- /*
A Role, or a ClusterRole without a namespace, and its binding to a ServiceAccount. A dict: root, name, account, rules (text), and optionally
namespace, component, annotations.
*/ -}}
{{- define "pullkeeper.role" }}
{{- $kind := ternary "Role" "ClusterRole" (hasKey . "namespace") }}
{{- $metadata := include "pullkeeper.metadata" (merge (dict "cluster" (eq $kind "ClusterRole")) .) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
{{ $metadata }}
rules:
  {{- .rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
{{ $metadata }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ include "pullkeeper.namespace" .root }}
{{- end }}

{{- /*
A Role in each of several namespaces that exist, or a ClusterRole if none is given. A dict as above, with namespaces instead of namespace, and
"own" to allow reading each Namespace as well.
*/ -}}
{{- define "pullkeeper.roles" -}}
{{- $role := omit . "namespaces" "own" "rules" }}
{{- $missing := include "pullkeeper.missing" (list .root .namespaces) | fromYamlArray }}
{{- range $namespace := .namespaces }}
{{- if not (has $namespace $missing) }}
{{- $own := ternary (include "pullkeeper.ownNamespaceRules" $namespace) "" (default false $.own) }}
{{- include "pullkeeper.role" (merge (dict "namespace" $namespace "rules" (print $own $.rules)) $role) }}
{{- end }}
{{- else }}
{{- include "pullkeeper.role" (merge (dict "rules" .rules) $role) }}
{{- end }}
{{- end }}
