{{- /*
The rights, feature by feature. All that concerns Secrets is bound to the one name: a list or watch carries it in its field selector, and a
server-side apply that creates is authorized as the creation of that name.
*/ -}}
{{- define "pullkeeper.rules" -}}
{{- $name := .Values.settings.secretName }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ $name | quote }}]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.settings.serviceAccountAttachment }}
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

{{- /* In one namespace: that Namespace alone. Reading it is authorized within it. */ -}}
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
{{- $names := .Values.rbac.serviceAccountIdentity.names }}
- apiGroups: [""]
  resources: [serviceaccounts]
  {{- with $names }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  {{- with $names }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [create]
{{- end }}

{{- define "pullkeeper.cleanupRules" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ .Values.settings.secretName | quote }}]
  verbs: [list, delete]
{{- end }}

{{- /*
A role and its binding to a ServiceAccount. A dict of root, name, rules (text), and as needed: namespace (without one it is a ClusterRole),
account, component, annotations.
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
    name: {{ default (include "pullkeeper.serviceAccountName" .root) .account }}
    namespace: {{ include "pullkeeper.namespace" .root }}
{{- end }}

{{- /* The same role in each of several namespaces, or for the whole cluster where none is named. As above, with namespaces in the place of namespace. */ -}}
{{- define "pullkeeper.roles" -}}
{{- $role := omit . "namespaces" }}
{{- range .namespaces }}
{{- include "pullkeeper.role" (merge (dict "namespace" .) $role) }}
{{- else }}
{{- include "pullkeeper.role" $role }}
{{- end }}
{{- end }}
