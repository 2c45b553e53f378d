{{- /*
Which admission policies are rendered, and what excludes that. What the API server serves is Helm's `.Capabilities.APIVersions`; where a chart is
rendered without a cluster that is what Helm was built with, and what `--api-versions` adds.
*/ -}}

{{- /* The API version of the injection's policy, or nothing if it is not rendered. */ -}}
{{- define "pullkeeper.injectionVersion" -}}
{{- $wanted := toString .Values.admission.injection }}
{{- $served := .Capabilities.APIVersions }}
{{- if and (ne $wanted "false") (not .Values.settings.watchNamespaces) }}
{{- if $served.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}v1
{{- else if and (eq $wanted "true") ($served.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy") }}v1beta1
{{- end }}
{{- end }}
{{- end }}

{{- /* "true" if the API server serves ValidatingAdmissionPolicies and cluster-scoped objects may be created, else nothing. */ -}}
{{- define "pullkeeper.validatingPolicies" -}}
{{- if and (not .Values.settings.watchNamespaces) (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy") }}true{{ end }}
{{- end }}

{{- /* "true" if the policy that judges annotations is rendered, else nothing. */ -}}
{{- define "pullkeeper.validates" -}}
{{- if has (toString .Values.admission.validation) (list "Warn" "Deny") }}{{ include "pullkeeper.validatingPolicies" . }}{{ end }}
{{- end }}

{{- define "pullkeeper.admissionProblems" }}
{{- if and (eq (toString .Values.admission.injection) "true") (not (include "pullkeeper.injectionVersion" .)) }}
{{- $expected := "auto or false, because the API server serves no MutatingAdmissionPolicy (Kubernetes 1.36, or 1.34 with the beta turned on)" }}
{{- if .Values.settings.watchNamespaces }}{{ $expected = "auto or false, because a policy is cluster-scoped and settings.watchNamespaces limits the release to its namespaces" }}{{ end }}
{{- include "pullkeeper.problem" (dict "where" "admission.injection" "found" .Values.admission.injection "expected" $expected) }}
{{- end }}
{{- include "pullkeeper.fenceProblem" . }}
{{- if and (eq (toString .Values.admission.validation) "Deny") (not (include "pullkeeper.validates" .)) }}
{{- $expected := "Warn or \"off\", because the API server serves no ValidatingAdmissionPolicy (Kubernetes 1.30)" }}
{{- if .Values.settings.watchNamespaces }}{{ $expected = "Warn or \"off\", because a policy is cluster-scoped and settings.watchNamespaces limits the release to its namespaces" }}{{ end }}
{{- include "pullkeeper.problem" (dict "where" "admission.validation" "found" .Values.admission.validation "expected" $expected) }}
{{- end }}
{{- end }}

{{- /* Whether an image is of one of `variables.registries`: the host ends at the first slash. A dict: the CEL of the image's name, and the pattern of a host. */ -}}
{{- define "pullkeeper.celNeeds" -}}
variables.registriesAreKnown
            ? {{ .image }}.contains("/") && {{ .image }}.split("/", 2)[0] in variables.registries
            : {{ .image }}.matches({{ printf "^(?:%s)/" .host | toJson }})
{{- end }}
