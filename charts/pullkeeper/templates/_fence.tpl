{{- /*
The admission fence: what the controller's own user may write, beyond what RBAC can say. docs/admission.md tells what each rule is for, and
tests/control_plane/test_fence.py holds the policies to it.
*/ -}}

{{- define "pullkeeper.fenceIsServed" -}}
{{- if and (not .Values.settings.watchNamespaces) (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy") }}true{{ end }}
{{- end }}

{{- /* Not empty if the fence is rendered. */ -}}
{{- define "pullkeeper.fence" -}}
{{- if ne (toString .Values.admission.fence) "false" }}{{ include "pullkeeper.fenceIsServed" . }}{{ end }}
{{- end }}

{{- define "pullkeeper.fenceProblem" }}
{{- if and (eq (toString .Values.admission.fence) "true") (not (include "pullkeeper.fence" .)) }}
{{- $expected := "auto or false, because the API server serves no ValidatingAdmissionPolicy in v1 (Kubernetes 1.30); without a cluster, name it in --api-versions" }}
{{- if .Values.settings.watchNamespaces }}{{ $expected = "auto or false, because a policy is cluster-scoped and settings.watchNamespaces limits the release to its namespaces" }}{{ end }}
{{- include "pullkeeper.problem" (dict "where" "admission.fence" "found" .Values.admission.fence "expected" $expected) }}
{{- end }}
{{- end }}

{{- /*
Whom the fence is for, and the names that RBAC grants it: those of this release and of the Roles that are kept for pods that still run. A map with
users, secretNames (of pull Secrets), additionalNames and tokenNames (["*"] for every ServiceAccount).
*/ -}}
{{- define "pullkeeper.fenced" -}}
{{- $rights := include "pullkeeper.rights" . | fromYaml }}
{{- $accounts := list $rights.account }}
{{- $secretNames := $rights.secretNames }}
{{- $tokenNames := dig "identity" "names" list $rights }}
{{- range include "pullkeeper.rolesToKeep" . | fromJsonArray }}
{{- range .subjects }}{{ $accounts = append $accounts .name }}{{ end }}
{{- range .rules }}
{{- if has "secrets" .resources }}{{ $secretNames = concat $secretNames (default list .resourceNames) }}{{ end }}
{{- if has "serviceaccounts/token" .resources }}{{ $tokenNames = concat $tokenNames (default (list "*") .resourceNames) }}{{ end }}
{{- end }}
{{- end }}
{{- $users := list }}
{{- range uniq $accounts }}{{ $users = append $users (printf "system:serviceaccount:%s:%s" (include "pullkeeper.namespace" $) .) }}{{ end }}
{{- range $rights.additionalNames }}{{ $secretNames = without $secretNames . }}{{ end }}
{{- dict "users" $users "secretNames" (uniq $secretNames) "additionalNames" $rights.additionalNames "tokenNames" (uniq $tokenNames) | toJson }}
{{- end }}

{{- /* CEL of whether a matcher of the settings selects a Namespace. A dict: matcher, namespace (CEL). */ -}}
{{- define "pullkeeper.celMatches" -}}
{{- $conditions := list }}
{{- if hasKey .matcher "namespaces" }}
{{- $conditions = append $conditions (include "pullkeeper.celMatchesAny" (dict "patterns" .matcher.namespaces "text" (print .namespace ".metadata.name"))) }}
{{- end }}
{{- with .matcher.namespaceSelector }}
{{- $conditions = append $conditions (include "pullkeeper.celSelects" (dict "selector" . "labels" (print $.namespace ".metadata.?labels.orValue({})"))) }}
{{- end }}
{{- if $conditions }}{{ join " && " $conditions }}{{ else }}false{{ end }}
{{- end }}

{{- define "pullkeeper.identityAudiences" -}}
{{- $given := get (default dict .Values.settings.serviceAccountIdentity) "audiences" }}
{{- ternary (list "sts.amazonaws.com") $given (empty $given) | toJson }}
{{- end }}

{{- /* A policy up to its variables. A dict: root, users, name (its suffix), group, resource, operations. */ -}}
{{- define "pullkeeper.fencePolicy" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
{{ include "pullkeeper.metadata" (dict "root" .root "cluster" true "name" (printf "%s-fence-%s" (include "pullkeeper.fullname" .root) .name)) }}
spec:
  # What cannot be judged is refused; that is never a request of anybody but the controller's user.
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [{{ .group | quote }}]
        apiVersions: [v1]
        operations: [{{ join ", " .operations }}]
        resources: [{{ .resource }}]
  matchConditions:
    - name: the-controller
      expression: |-
        request.userInfo.username in {{ toJson .users }}
{{- end }}

{{- /* The binding of a policy. A dict as above. */ -}}
{{- define "pullkeeper.fenceBinding" -}}
{{- $name := printf "%s-fence-%s" (include "pullkeeper.fullname" .root) .name -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
{{ include "pullkeeper.metadata" (dict "root" .root "cluster" true "name" $name) }}
spec:
  policyName: {{ $name }}
  validationActions: [Deny]
{{- end }}

{{- /* Variables for the metadata of an object that is created or changed, and as it was; of an object that is deleted there is no new one. */ -}}
{{- define "pullkeeper.fenceVariables" }}
- name: labels
  expression: |-
    object == null ? {} : object.metadata.?labels.orValue({})
- name: oldLabels
  expression: |-
    oldObject == null ? {} : oldObject.metadata.?labels.orValue({})
- name: annotations
  expression: |-
    object == null ? {} : object.metadata.?annotations.orValue({})
- name: oldAnnotations
  expression: |-
    oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})
- name: owners
  expression: |-
    oldObject == null ? [] : oldObject.metadata.?ownerReferences.orValue([])
- name: finalizers
  expression: |-
    oldObject == null ? [] : oldObject.metadata.?finalizers.orValue([])
{{- end }}

{{- /*
Validations: nothing is added to the metadata but what is ours, and nothing of others' is changed. That an apply drops what somebody else has written
under our field manager's name is no harm. A dict: annotation (CEL: whether the key is ours), tolerated (CEL of a list of keys), and optionally
label (CEL: whether the key is one of a shape).
*/ -}}
{{- define "pullkeeper.fenceMetadata" }}
- expression: |-
    variables.labels.all(key, key == "app.kubernetes.io/managed-by" || {{ with .label }}{{ . }} || {{ end }}key in {{ .tolerated }} ||
      (key in variables.oldLabels && variables.oldLabels[key] == variables.labels[key]))
  message: "the fence of Pullkeeper: no label is added or changed but app.kubernetes.io/managed-by"
- expression: |-
    variables.annotations.all(key, {{ .annotation }} || key in {{ .tolerated }} ||
      (key in variables.oldAnnotations && variables.oldAnnotations[key] == variables.annotations[key]))
  message: "the fence of Pullkeeper: no annotation is added or changed but its own"
- expression: |-
    object == null || object.metadata.?ownerReferences.orValue([]).all(each, each in variables.owners)
  message: "the fence of Pullkeeper: no owner is added"
- expression: |-
    object == null || object.metadata.?finalizers.orValue([]).all(each, each in variables.finalizers)
  message: "the fence of Pullkeeper: no finalizer is added"
{{- end }}
