{{- define "pullkeeper.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The name of all objects, at most 50 characters to leave room for the longest suffix. */ -}}
{{- define "pullkeeper.fullname" -}}
{{- $name := include "pullkeeper.name" . }}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $both .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "pullkeeper.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "pullkeeper.serviceAccountName" -}}
{{- default (ternary (include "pullkeeper.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- /* The image, in global.imageRegistry if that is set: then a host at the beginning of the repository makes place for it. */ -}}
{{- define "pullkeeper.image" -}}
{{- $version := printf ":%s" (default .Chart.AppVersion .Values.image.tag) }}
{{- $repository := .Values.image.repository }}
{{- with get (default dict .Values.global) "imageRegistry" }}
{{- $repository = printf "%s/%s" . (regexReplaceAll `^(?:[^/]*[.:][^/]*|localhost)/` $repository "") }}
{{- end }}
{{- printf "%s%s" $repository (ternary $version (printf "@%s" .Values.image.digest) (empty .Values.image.digest)) }}
{{- end }}

{{- define "pullkeeper.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pullkeeper.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end }}

{{- /* Labels of a pod, without the chart's version: a new one must not restart the pods. A list, as below. */ -}}
{{- define "pullkeeper.podLabels" -}}
{{- $values := (index . 0).Values }}
{{- $own := omit (include "pullkeeper.ownLabels" . | fromYaml) "helm.sh/chart" }}
{{- toYaml (mergeOverwrite (deepCopy (default dict $values.commonLabels)) (deepCopy (default dict $values.podLabels)) $own) }}
{{- end }}

{{- /*
Labels that every object has, and no value takes away. A list: the root and, for other objects than the controller's, the component ("test",
"cleanup").
*/ -}}
{{- define "pullkeeper.ownLabels" -}}
{{- $root := index . 0 }}
{{- $own := include "pullkeeper.selectorLabels" $root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- if gt (len .) 1 }}{{ $_ := set $own "app.kubernetes.io/component" (index . 1) }}{{ end }}
{{- toYaml $own }}
{{- end }}

{{- /* The metadata of an object. A dict: root, name, and optionally namespace, component, labels, annotations, and "cluster" for a cluster-scoped one. */ -}}
{{- define "pullkeeper.metadata" -}}
{{- $root := .root }}
{{- $own := include "pullkeeper.ownLabels" (compact (list $root .component)) | fromYaml }}
{{- $labels := mergeOverwrite (deepCopy (default dict $root.Values.commonLabels)) (deepCopy (default dict .labels)) $own }}
{{- $annotations := mergeOverwrite (deepCopy (default dict $root.Values.commonAnnotations)) (deepCopy (default dict .annotations)) -}}
metadata:
  name: {{ .name }}
  {{- if not .cluster }}
  namespace: {{ default (include "pullkeeper.namespace" $root) .namespace }}
  {{- end }}
  labels:
    {{- toYaml $labels | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
