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

{{- define "pullkeeper.admissionProblems" }}
{{- if and (eq (toString .Values.admission.injection) "true") (not (include "pullkeeper.injectionVersion" .)) }}
{{- $expected := "auto or false, because the API server serves no MutatingAdmissionPolicy (Kubernetes 1.36, or 1.34 with the beta turned on)" }}
{{- if .Values.settings.watchNamespaces }}{{ $expected = "auto or false, because a policy is cluster-scoped and settings.watchNamespaces limits the release to its namespaces" }}{{ end }}
{{- include "pullkeeper.problem" (dict "where" "admission.injection" "found" .Values.admission.injection "expected" $expected) }}
{{- end }}
{{- include "pullkeeper.fenceProblem" . }}
{{- end }}

{{- /* Whether an image is of one of `variables.registries`: the host ends at the first slash. A dict: the CEL of the image's name, and the pattern of a host. */ -}}
{{- define "pullkeeper.celNeeds" -}}
variables.registriesAreKnown
            ? {{ .image }}.contains("/") && {{ .image }}.split("/", 2)[0] in variables.registries
            : {{ .image }}.matches({{ printf "^(?:%s)/" .host | toJson }})
{{- end }}
