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

{{- /*
The Roles of the pods that may still run, where those of the new ones differ: a JSON array of dicts with kind, namespace, name (its suffix), rules and
subjects. They are copies of what is granted now, never made from what somebody without RBAC rights could write; the ConfigMap only says in which
namespaces to look. As long as the Deployment has not brought every pod to its newest template, what was kept then is kept again. Those of an
election do not outlive it, because the old pods stop first.
*/ -}}
{{- define "pullkeeper.rolesToKeep" -}}
{{- $kept := list }}
{{- if and .Release.IsUpgrade .Values.rbac.create }}
{{- $name := include "pullkeeper.fullname" . }}
{{- $release := include "pullkeeper.namespace" . }}
{{- $rolledOut := eq (include "pullkeeper.rolledOut" (lookup "apps/v1" "Deployment" $release $name)) "true" }}
{{- $new := dict }}
{{- range include "pullkeeper.controllerRoles" (dict "root" . "name" $name "rights" (include "pullkeeper.rights" . | fromYaml)) | splitList "\n---\n" }}
{{- with fromYaml . }}{{ $_ := set $new (printf "%s/%s/%s" .kind (default "" .metadata.namespace) .metadata.name) . }}{{ end }}
{{- end }}
{{- $before := include "pullkeeper.previousSettings" . | fromYaml }}
{{- $scopes := default (list "") $before.watchNamespaces }}
{{- $identity := concat $scopes (default list .Values.rbac.serviceAccountIdentity.namespaces) | uniq }}
{{- range $suffix, $namespaces := dict "" $scopes "-service-account-identity" $identity "-leader-election" (ternary (list $release) list .Values.leaderElection) }}
{{- range $namespace := $namespaces }}
{{- $kind := ternary "Role" "ClusterRole" (ne $namespace "") }}
{{- $own := print $name $suffix }}
{{- $found := print $name "-previous" $suffix }}
{{- $role := lookup "rbac.authorization.k8s.io/v1" $kind $namespace $found }}
{{- if or $rolledOut (not $role) }}
{{- $found = $own }}
{{- $role = lookup "rbac.authorization.k8s.io/v1" $kind $namespace $found }}
{{- end }}
{{- $binding := lookup "rbac.authorization.k8s.io/v1" (print $kind "Binding") $namespace $found }}
{{- if and $role $binding }}
{{- $sameRules := eq (toJson $role.rules) (get $new (printf "%s/%s/%s" $kind $namespace $own) | default dict | dig "rules" list | toJson) }}
{{- $sameSubjects := eq (toJson $binding.subjects) (get $new (printf "%sBinding/%s/%s" $kind $namespace $own) | default dict | dig "subjects" list | toJson) }}
{{- if not (and $sameRules $sameSubjects) }}
{{- $kept = append $kept (dict "kind" $kind "namespace" $namespace "name" (print $name "-previous" $suffix) "rules" $role.rules "subjects" $binding.subjects) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $kept }}
{{- end }}

{{- /* "true" if every pod of a Deployment is of its newest template and available. */ -}}
{{- define "pullkeeper.rolledOut" -}}
{{- $status := dig "status" dict . }}
{{- $replicas := dig "spec" "replicas" 1 . | int }}
{{- $observed := eq (dig "metadata" "generation" 0 . | int) (dig "observedGeneration" -1 $status | int) }}
{{- $counts := list (dig "replicas" 0 $status | int) (dig "updatedReplicas" 0 $status | int) (dig "availableReplicas" 0 $status | int) }}
{{- and $observed (eq (list $replicas $replicas $replicas | toJson) ($counts | toJson)) }}
{{- end }}

{{- /*
Which of some namespaces do not exist, or not for much longer, as a JSON array: no Role can be made there. None of them if nothing at all is found,
because then there is no cluster to ask, or Helm is about to create the release's namespace. A list: root, namespaces.
*/ -}}
{{- define "pullkeeper.missing" -}}
{{- $root := index . 0 }}
{{- $missing := list }}
{{- $found := lookup "v1" "Namespace" "" $root.Release.Namespace }}
{{- range $name := index . 1 }}
{{- $namespace := lookup "v1" "Namespace" "" $name }}
{{- if $namespace }}{{ $found = $namespace }}{{ end }}
{{- if or (not $namespace) (eq (dig "status" "phase" "" $namespace) "Terminating") }}{{ $missing = append $missing $name }}{{ end }}
{{- end }}
{{- ternary (toJson $missing) "[]" (not (empty $found)) }}
{{- end }}

{{- /* The namespaces that the upgrade takes out of reach, as a JSON array; ["*"]: all but those that are listed. */ -}}
{{- define "pullkeeper.abandoned" -}}
{{- $before := include "pullkeeper.previousSettings" . | fromYaml }}
{{- $watched := default list .Values.settings.watchNamespaces }}
{{- if and $before $watched }}
{{- with $before.watchNamespaces }}
{{- $missing := include "pullkeeper.missing" (list $ .) | fromYamlArray }}
{{- $abandoned := list }}
{{- range . }}{{ if not (or (has . $watched) (has . $missing)) }}{{ $abandoned = append $abandoned . }}{{ end }}{{ end }}
{{- toJson $abandoned }}
{{- else }}["*"]
{{- end }}
{{- else }}[]
{{- end }}
{{- end }}

{{- define "pullkeeper.abandonProblem" }}
{{- $abandoned := include "pullkeeper.abandoned" . | fromYamlArray }}
{{- if and $abandoned (not .Values.cleanup.leaveSecrets) }}
{{- $where := ternary "every other namespace" (join ", " $abandoned) (has "*" $abandoned) }}
{{- include "pullkeeper.problem" (dict "where" "settings.watchNamespaces" "found" (join ", " .Values.settings.watchNamespaces) "expected" (printf "what is watched now, because the pull Secrets in %s would be left to expire within twelve hours: opt out there first, or set cleanup.leaveSecrets=true" $where)) }}
{{- end }}
{{- end }}

{{- define "pullkeeper.upgradeProblems" }}
{{- include "pullkeeper.abandonProblem" . }}
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
