{{- /*
What values.schema.json cannot express in a helpful message: patterns, and values that exclude each other. Each check prints one line per
problem; validate.yaml reports all of them at once. Patterns (_patterns.tpl) and bounds (_bounds.tpl) of settings are generated from
pullkeeper.domain; tests/chart/test_schema.py and test_limits.py compare the verdicts.
*/ -}}
{{- define "pullkeeper.problems" -}}
{{ include "pullkeeper.habitProblems" . }}
{{ include "pullkeeper.parentProblems" . }}
{{ include "pullkeeper.replicaProblems" . }}
{{ include "pullkeeper.nameProblems" . }}
{{ include "pullkeeper.imageProblems" . }}
{{ include "pullkeeper.awsProblems" . }}
{{ include "pullkeeper.credentialProblems" . }}
{{ include "pullkeeper.partitionProblems" . }}
{{ include "pullkeeper.identitiesProblems" . }}
{{ include "pullkeeper.settingsProblems" . }}
{{ include "pullkeeper.grantProblems" . }}
{{ include "pullkeeper.additionalProblems" . }}
{{ include "pullkeeper.rbacProblems" . }}
{{ include "pullkeeper.admissionProblems" . }}
{{ include "pullkeeper.budgetProblems" . }}
{{ include "pullkeeper.resourceProblems" . }}
{{ include "pullkeeper.podProblems" . }}
{{ include "pullkeeper.extraPodProblems" . }}
{{ include "pullkeeper.networkProblems" . }}
{{ include "pullkeeper.monitorProblems" . }}
{{ include "pullkeeper.alertProblems" . }}
{{ include "pullkeeper.upgradeProblems" . }}
{{- end }}

{{- /* A problem. A dict: where, found, expected. */ -}}
{{- define "pullkeeper.problem" }}
{{ .where }}: found {{ if or (kindIs "invalid" .found) (eq (toString .found) "") }}nothing{{ else if kindIs "string" .found }}{{ quote .found }}{{ else if or (kindIs "map" .found) (kindIs "slice" .found) }}{{ toJson .found }}{{ else }}{{ .found }}{{ end }}, expected {{ .expected }}
{{- end }}

{{- /* A problem if a text does not match a pattern as a whole. A dict: where, found, pattern, expected, and optionally longest. */ -}}
{{- define "pullkeeper.patternProblem" }}
{{- if or (not (regexMatch (printf "^(?:%s)$" .pattern) .found)) (gt (len .found) (int (default 2048 .longest))) }}
{{- include "pullkeeper.problem" . }}
{{- end }}
{{- end }}

{{- define "pullkeeper.labelPattern" }}[a-z0-9](?:[-a-z0-9]*[a-z0-9])?{{ end }}

{{- /* A problem if a text is not a DNS label, such as the name of a Namespace. A dict: where, found, what. */ -}}
{{- define "pullkeeper.labelProblem" }}
{{- $expected := printf "the name of a %s: at most 63 lower case letters, digits and '-'" .what }}
{{- include "pullkeeper.patternProblem" (dict "where" .where "found" .found "pattern" (include "pullkeeper.labelPattern" .) "longest" 63 "expected" $expected) }}
{{- end }}

{{- /* A problem if a text is not a DNS subdomain, such as the name of a Secret or ServiceAccount. A dict: where, found, what. */ -}}
{{- define "pullkeeper.nameProblem" }}
{{- $label := include "pullkeeper.labelPattern" . }}
{{- $expected := printf "the name of a %s: at most 253 lower case letters, digits, '-' and '.'" .what }}
{{- include "pullkeeper.patternProblem" (dict "where" .where "found" .found "pattern" (printf "%s(?:\\.%s)*" $label $label) "longest" 253 "expected" $expected) }}
{{- end }}

{{- /* Problems of names that repeat an earlier one. A dict: where, names, what is expected instead. */ -}}
{{- define "pullkeeper.repeatedProblem" }}
{{- range $index, $name := .names }}
{{- if has $name (slice $.names 0 $index) }}
{{- include "pullkeeper.problem" (dict "where" (printf "%s[%d]" $.where $index) "found" $name "expected" $.what) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What a parent chart gives: a condition, and values for all its charts. */ -}}
{{- define "pullkeeper.parentProblems" }}
{{- if not .Values.enabled }}
{{- include "pullkeeper.problem" (dict "where" "enabled" "found" false "expected" "true, because it works only as the condition of a parent chart's dependency: set `condition: pullkeeper.enabled` in that Chart.yaml, or uninstall the release") }}
{{- end }}
{{- with get (default dict .Values.global) "imageRegistry" }}
{{- $pattern := `[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*` }}
{{- include "pullkeeper.patternProblem" (dict "where" "global.imageRegistry" "found" . "pattern" $pattern "expected" "HOST, HOST:PORT or HOST/PATH, without a scheme and a slash at the end") }}
{{- end }}
{{- range $index, $secret := get (default dict .Values.global) "imagePullSecrets" | default list }}
{{- include "pullkeeper.nameProblem" (dict "where" (printf "global.imagePullSecrets[%d]" $index) "found" (kindIs "map" . | ternary . (dict "name" .)).name "what" "Secret") }}
{{- end }}
{{- range $index, $secret := .Values.imagePullSecrets }}
{{- include "pullkeeper.nameProblem" (dict "where" (printf "imagePullSecrets[%d].name" $index) "found" .name "what" "Secret") }}
{{- end }}
{{- end }}

{{- define "pullkeeper.nameProblems" }}
{{- range $key := list "nameOverride" "fullnameOverride" "namespaceOverride" }}
{{- with get $.Values $key }}
{{- include "pullkeeper.labelProblem" (dict "where" $key "found" . "what" (ternary "Namespace" "Service" (eq $key "namespaceOverride"))) }}
{{- end }}
{{- end }}
{{- with .Values.serviceAccount.name }}
{{- include "pullkeeper.nameProblem" (dict "where" "serviceAccount.name" "found" . "what" "ServiceAccount") }}
{{- end }}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}
{{- include "pullkeeper.problem" (dict "where" "serviceAccount.name" "expected" "the name of an existing ServiceAccount, because serviceAccount.create is false") }}
{{- end }}
{{- end }}

{{- define "pullkeeper.imageProblems" }}
{{- $pattern := `[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\.[a-z0-9-]+)*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*` }}
{{- include "pullkeeper.patternProblem" (dict "where" "image.repository" "found" .Values.image.repository "pattern" $pattern "expected" "HOST/PATH in lower case; set the tag and the digest in image.tag and image.digest") }}
{{- with .Values.image.tag }}
{{- include "pullkeeper.patternProblem" (dict "where" "image.tag" "found" . "pattern" "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}" "expected" "a tag of at most 128 letters, digits, '.', '_' and '-'") }}
{{- end }}
{{- with .Values.image.digest }}
{{- include "pullkeeper.patternProblem" (dict "where" "image.digest" "found" . "pattern" "sha256:[0-9a-f]{64}" "expected" "\"sha256:\" and 64 hexadecimal digits") }}
{{- end }}
{{- end }}

{{- define "pullkeeper.awsProblems" }}
{{- $aws := .Values.aws }}
{{- $role := "\"arn:PARTITION:iam::ACCOUNT:role/NAME\"" }}
{{- if eq $aws.credentials "irsa" | and (not .Values.serviceAccount.create) }}
{{- with $aws.roleArn }}
{{- include "pullkeeper.problem" (dict "where" "aws.roleArn" "found" . "expected" "nothing, because serviceAccount.create is false: annotate that ServiceAccount with eks.amazonaws.com/role-arn yourself") }}
{{- end }}
{{- else if has $aws.credentials (list "webIdentity" "irsa" "rolesAnywhere") }}
{{- $expected := printf "the ARN of the controller's IAM role, %s, as aws.credentials=%s requires" $role $aws.credentials }}
{{- include "pullkeeper.patternProblem" (dict "where" "aws.roleArn" "found" $aws.roleArn "pattern" (include "pullkeeper.rolePattern" .) "expected" $expected) }}
{{- else if $aws.roleArn }}
{{- include "pullkeeper.problem" (dict "where" "aws.roleArn" "found" $aws.roleArn "expected" (printf "nothing, because aws.credentials=%s determines the role: remove aws.roleArn" $aws.credentials)) }}
{{- end }}
{{- if eq $aws.credentials "secret" }}
{{- include "pullkeeper.nameProblem" (dict "where" "aws.existingSecret" "found" $aws.existingSecret "what" "Secret") }}
{{- else if $aws.existingSecret }}
{{- include "pullkeeper.problem" (dict "where" "aws.existingSecret" "found" $aws.existingSecret "expected" (printf "nothing, because aws.credentials=%s does not use a Secret: set aws.credentials=secret to use it" $aws.credentials)) }}
{{- end }}
{{- with $aws.region }}
{{- include "pullkeeper.patternProblem" (dict "where" "aws.region" "found" . "pattern" "[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}" "expected" "a region such as \"eu-west-1\"") }}
{{- end }}
{{- include "pullkeeper.rolesAnywhereProblems" . }}
{{- if and (eq $aws.credentials "webIdentity") (not $aws.audience) }}
{{- include "pullkeeper.problem" (dict "where" "aws.audience" "expected" "a client ID of the IAM OIDC provider, such as \"sts.amazonaws.com\"") }}
{{- end }}
{{- end }}

{{- /* What would take the place of the credentials that aws.credentials names, and nobody would see it. */ -}}
{{- define "pullkeeper.credentialProblems" }}
{{- $kind := .Values.aws.credentials }}
{{- $annotations := default dict .Values.serviceAccount.annotations }}
{{- $custom := list .Values.extraEnv .Values.extraEnvFrom .Values.extraArgs .Values.extraVolumes .Values.extraInitContainers .Values.extraContainers .Values.podLabels .Values.podAnnotations $annotations (not .Values.serviceAccount.create) }}
{{- if and (eq $kind "custom") (empty (without (compact $custom) false)) }}
{{- include "pullkeeper.problem" (dict "where" "aws.credentials" "found" $kind "expected" "extraEnv, extraEnvFrom, extraVolumes, extraInitContainers or whatever else configures the credentials, because custom adds none: set them, or another aws.credentials") }}
{{- end }}
{{- $key := "eks.amazonaws.com/role-arn" }}
{{- if and (hasKey $annotations $key) (not (has $kind (list "irsa" "custom"))) }}
{{- include "pullkeeper.problem" (dict "where" "serviceAccount.annotations" "found" $key "expected" (printf "no role there, because aws.credentials=%s does not use it: set aws.credentials=irsa and aws.roleArn, or remove it" $kind)) }}
{{- else if and (hasKey $annotations $key) (eq $kind "irsa") (ne (get $annotations $key) .Values.aws.roleArn) }}
{{- include "pullkeeper.problem" (dict "where" "serviceAccount.annotations" "found" $key "expected" "no role there, because the chart writes aws.roleArn to it: remove it") }}
{{- end }}
{{- $variables := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" "AWS_PROFILE" "AWS_ROLE_ARN" "AWS_WEB_IDENTITY_TOKEN_FILE" "AWS_SHARED_CREDENTIALS_FILE" "AWS_CONTAINER_CREDENTIALS_FULL_URI" "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" }}
{{- $own := include "pullkeeper.awsEnv" . | fromYamlArray }}
{{- range $index, $variable := ternary list .Values.extraEnv (eq $kind "custom") }}
{{- $taken := false }}{{ range $own }}{{ if eq .name $variable.name }}{{ $taken = true }}{{ end }}{{ end }}
{{- if and (has .name $variables) (not $taken) (not (and (eq $kind "secret") (eq .name "AWS_PROFILE"))) }}
{{- include "pullkeeper.problem" (dict "where" (printf "extraEnv[%d].name" $index) "found" .name "expected" (printf "no credentials there, because they would take the place of aws.credentials=%s: remove it, or set aws.credentials=custom" $kind)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Registries that the controller's own role can get no token for: credentials are valid in one partition. */ -}}
{{- define "pullkeeper.partitionProblems" }}
{{- $role := .Values.aws.roleArn }}
{{- if and (regexMatch (printf "^(?:%s)$" (include "pullkeeper.rolePattern" .)) $role) (not .Values.settings.serviceAccountIdentity) (not .Values.aws.identities) }}
{{- $partition := index (splitList ":" $role) 1 }}
{{- range $index, $host := .Values.settings.registries }}
{{- if and (regexMatch (printf "^(?:%s)$" (include "pullkeeper.hostPattern" $)) $host) (not (include "pullkeeper.mayBeOf" (dict "partition" $partition "pattern" $host "context" $))) }}
{{- include "pullkeeper.problem" (dict "where" (printf "settings.registries[%d]" $index) "found" $host "expected" (printf "a registry of partition %s, because aws.roleArn is of it: get tokens of other partitions through aws.identities or settings.serviceAccountIdentity" $partition)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pullkeeper.rolesAnywhereProblems" }}
{{- $aws := .Values.aws }}
{{- if eq $aws.credentials "rolesAnywhere" }}
{{- include "pullkeeper.anchorProblems" (dict "where" "aws" "given" $aws.rolesAnywhere "roleArn" $aws.roleArn) }}
{{- else }}
{{- range $key, $value := $aws.rolesAnywhere }}
{{- with $value }}
{{- include "pullkeeper.problem" (dict "where" (print "aws.rolesAnywhere." $key) "found" . "expected" "nothing, because aws.credentials is not rolesAnywhere") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Problems of an identity of IAM Roles Anywhere. A dict: where, given (its rolesAnywhere), roleArn. */ -}}
{{- define "pullkeeper.anchorProblems" }}
{{- $where := .where }}
{{- $given := .given }}
{{- $anchor := $given.trustAnchorArn }}
{{- range $key, $kind := dict "trustAnchorArn" "trust-anchor" "profileArn" "profile" }}
{{- $pattern := printf `arn:aws(?:-[a-z]+)*:rolesanywhere:[a-z]{2,5}(?:-[a-z]{2,20})+-[0-9]{1,2}:[0-9]{12}:%s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}` $kind }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".rolesAnywhere." $key) "found" (get $given $key) "pattern" $pattern "expected" (printf "\"arn:PARTITION:rolesanywhere:REGION:ACCOUNT:%s/UUID\"" $kind)) }}
{{- end }}
{{- if not $given.folder }}
{{- include "pullkeeper.nameProblem" (dict "where" (print $where ".rolesAnywhere.existingSecret") "found" $given.existingSecret "what" "Secret") }}
{{- else if $given.existingSecret }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".rolesAnywhere.folder") "found" $given.folder "expected" (printf "nothing, because %s.rolesAnywhere.existingSecret is set" $where)) }}
{{- else }}
{{- include "pullkeeper.patternProblem" (dict "where" (print $where ".rolesAnywhere.folder") "found" $given.folder "pattern" "/[^/].*" "expected" "the absolute path of a folder with tls.crt and tls.key") }}
{{- end }}
{{- $place := splitList ":" (print $anchor "::::") }}
{{- $other := splitList ":" (print $given.profileArn "::::") }}
{{- if and $anchor $given.profileArn (ne (print (index $place 1) (index $place 3)) (print (index $other 1) (index $other 3))) }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".rolesAnywhere.profileArn") "found" $given.profileArn "expected" (print "a profile in the region of the trust anchor: " (index $place 3))) }}
{{- end }}
{{- if and $anchor (ne (index $place 1) (include "pullkeeper.partitionOf" (index $place 3))) }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".rolesAnywhere.trustAnchorArn") "found" $anchor "expected" (print "a region of partition " (index $place 1))) }}
{{- end }}
{{- if and $anchor .roleArn (ne (index $place 1) (index (splitList ":" (print .roleArn "::")) 1)) }}
{{- include "pullkeeper.problem" (dict "where" (print $where ".roleArn") "found" .roleArn "expected" (print "a role of the trust anchor's partition: " (index $place 1))) }}
{{- end }}
{{- end }}

{{- define "pullkeeper.settingsProblems" }}
{{- $settings := .Values.settings }}
{{- range $key, $instead := .Files.Get "derived.yaml" | fromYaml }}
{{- if hasKey $settings $key }}
{{- include "pullkeeper.problem" (dict "where" (print "settings." $key) "found" (get $settings $key) "expected" (print "nothing, because the chart sets it: " $instead)) }}
{{- end }}
{{- end }}
{{- include "pullkeeper.nameProblem" (dict "where" "settings.secretName" "found" $settings.secretName "what" "Secret") }}
{{- include "pullkeeper.patternProblem" (dict "where" "settings.class" "found" (default "" $settings.class) "pattern" (include "pullkeeper.classPattern" .) "longest" 63 "expected" "a class: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends; or nothing for the default class") }}
{{- if kindIs "string" $settings.clusterName }}
{{- include "pullkeeper.patternProblem" (dict "where" "settings.clusterName" "found" $settings.clusterName "pattern" (include "pullkeeper.clusterNamePattern" .) "expected" "a name of at most 40 letters, digits, '.', '_' and '-'") }}
{{- end }}
{{- range $index, $host := $settings.registries }}
{{- include "pullkeeper.hostProblem" (dict "where" (printf "settings.registries[%d]" $index) "found" $host) }}
{{- end }}
{{- $hosts := default list $settings.registries | len }}
{{- if gt $hosts (include "pullkeeper.maxRegistries" . | int) }}
{{- include "pullkeeper.problem" (dict "where" "settings.registries" "found" $hosts "expected" (printf "at most %s hosts, the number that fits into one Secret" (include "pullkeeper.maxRegistries" .))) }}
{{- end }}
{{- range $index, $name := $settings.excludedNamespaces }}
{{- include "pullkeeper.patternProblem" (dict "where" (printf "settings.excludedNamespaces[%d]" $index) "found" $name "pattern" (printf "(?:%s)?" (include "pullkeeper.namespacePattern" $)) "expected" "a name in lower case, where * matches any characters") }}
{{- end }}
{{- range $index, $name := $settings.watchNamespaces }}
{{- include "pullkeeper.labelProblem" (dict "where" (printf "settings.watchNamespaces[%d]" $index) "found" $name "what" "Namespace") }}
{{- end }}
{{- include "pullkeeper.repeatedProblem" (dict "where" "settings.watchNamespaces" "names" $settings.watchNamespaces "what" "each namespace once, because it gets one Role") }}
{{- $attached := default list $settings.attachToServiceAccounts }}
{{- if ne (toJson $attached) (toJson (list "*")) }}
{{- range $index, $name := $attached }}
{{- include "pullkeeper.nameProblem" (dict "where" (printf "settings.attachToServiceAccounts[%d]" $index) "found" $name "what" "ServiceAccount") }}
{{- end }}
{{- end }}
{{- $names := $attached | len }}
{{- if gt $names (include "pullkeeper.maxNames" . | int) }}
{{- include "pullkeeper.problem" (dict "where" "settings.attachToServiceAccounts" "found" $names "expected" (printf "at most %s names, or [\"*\"] alone for every ServiceAccount" (include "pullkeeper.maxNames" .))) }}
{{- end }}
{{- if and $attached (not $settings.serviceAccountAttachment) }}
{{- include "pullkeeper.problem" (dict "where" "settings.attachToServiceAccounts" "found" (join ", " $attached) "expected" "nothing, because settings.serviceAccountAttachment is false: set it to true to grant permission to patch ServiceAccounts") }}
{{- end }}
{{- range $key, $bound := include "pullkeeper.durations" . | fromYaml }}
{{- $duration := get $settings $key }}
{{- if and (hasKey $settings $key) (kindIs "string" $duration) }}
{{- include "pullkeeper.durationProblem" (dict "where" (print "settings." $key) "found" $duration "low" (int $bound.low) "high" (int $bound.high) "expected" $bound.expected) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pullkeeper.hostProblem" }}
{{- $pattern := include "pullkeeper.hostPattern" . }}
{{- $plain := .found | trim | lower | trimPrefix "https://" | trimPrefix "http://" | regexFind "^[^/:]*" }}
{{- $expected := "\"ACCOUNT.dkr.ecr.REGION.amazonaws.com\" (or the equivalent in another partition) or \"public.ecr.aws\"" }}
{{- if and (ne $plain .found) (regexMatch (printf "^(?:%s)$" $pattern) $plain) }}{{ $expected = printf "only the host, in lower case: %q" $plain }}{{ end }}
{{- include "pullkeeper.patternProblem" (dict "where" .where "found" .found "pattern" $pattern "expected" $expected) }}
{{- end }}

{{- /* The seconds of a duration in hours, minutes and seconds. */ -}}
{{- define "pullkeeper.seconds" }}
{{- $seconds := 0 }}
{{- range $unit, $length := dict "h" 3600 "m" 60 "s" 1 }}
{{- $seconds = add $seconds (mul $length (regexFind (printf "[0-9]+%s" $unit) $ | trimSuffix $unit | int)) }}
{{- end }}
{{- $seconds }}
{{- end }}

{{- define "pullkeeper.durationProblem" }}
{{- $seconds := include "pullkeeper.seconds" .found | int }}
{{- if not (and .found (regexMatch "^(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,6}s)?$" .found) (ge $seconds .low) (le $seconds .high)) }}
{{- include "pullkeeper.problem" . }}
{{- end }}
{{- end }}

{{- define "pullkeeper.rbacProblems" }}
{{- $identity := .Values.rbac.serviceAccountIdentity }}
{{- $every := eq (toJson $identity.names) (toJson (list "*")) }}
{{- range $index, $name := ternary list $identity.names $every }}
{{- include "pullkeeper.nameProblem" (dict "where" (printf "rbac.serviceAccountIdentity.names[%d]" $index) "found" $name "what" "ServiceAccount") }}
{{- end }}
{{- range $index, $name := .Values.rbac.previousSecretNames }}
{{- include "pullkeeper.nameProblem" (dict "where" (printf "rbac.previousSecretNames[%d]" $index) "found" $name "what" "Secret") }}
{{- end }}
{{- if and .Values.rbac.create .Values.settings.serviceAccountIdentity (not $identity.names) }}
{{- include "pullkeeper.problem" (dict "where" "rbac.serviceAccountIdentity.names" "expected" "the ServiceAccounts that settings.serviceAccountIdentity may create tokens for, or [\"*\"] alone for every one") }}
{{- end }}
{{- include "pullkeeper.repeatedProblem" (dict "where" "rbac.serviceAccountIdentity.namespaces" "names" $identity.namespaces "what" "each namespace once, because it gets one Role") }}
{{- $watched := default list .Values.settings.watchNamespaces }}
{{- range $index, $name := $identity.namespaces }}
{{- $where := printf "rbac.serviceAccountIdentity.namespaces[%d]" $index }}
{{- include "pullkeeper.labelProblem" (dict "where" $where "found" $name "what" "Namespace") }}
{{- if and $watched (not (has $name $watched)) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" $name "expected" (print "one of settings.watchNamespaces: " (join ", " $watched))) }}
{{- end }}
{{- end }}
{{- if and .Values.cleanup.onUninstall (not .Values.leaderElection) }}
{{- include "pullkeeper.problem" (dict "where" "cleanup.onUninstall" "found" true "expected" "false without leader election, because the controller would create the Secrets again until it stops: run `pullkeeper cleanup` after uninstalling or set leaderElection=true") }}
{{- end }}
{{- end }}
