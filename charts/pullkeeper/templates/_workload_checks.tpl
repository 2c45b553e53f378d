{{- /* Checks of what becomes pods and what is around them; _checks.tpl says how a check reports. */ -}}
{{- /* The network of the pods, and what does not go together with that of the node. */ -}}
{{- define "pullkeeper.networkProblems" }}
{{- if and .Values.hostNetwork .Values.networkPolicy.enabled }}
{{- include "pullkeeper.problem" (dict "where" "networkPolicy.enabled" "found" true "expected" "false with hostNetwork, because no NetworkPolicy applies to pods in the network of their node: set networkPolicy.enabled=false or hostNetwork=false") }}
{{- end }}
{{- if and .Values.hostNetwork (lt (int .Values.settings.httpPort) 1024) }}
{{- include "pullkeeper.problem" (dict "where" "settings.httpPort" "found" .Values.settings.httpPort "expected" "1024 or more with hostNetwork, because the containers have no right to listen on lower ports of the node") }}
{{- end }}
{{- if and .Values.hostNetwork (kindIs "bool" .Values.hostUsers) (not .Values.hostUsers) }}
{{- include "pullkeeper.problem" (dict "where" "hostUsers" "found" false "expected" "true or nothing with hostNetwork, because the network of the node is not shared with a user namespace of its own: set hostUsers=null or hostNetwork=false") }}
{{- end }}
{{- include "pullkeeper.hostAliasProblems" . }}
{{- if and (eq .Values.dnsPolicy "None") (empty (get (default dict .Values.dnsConfig) "nameservers")) }}
{{- include "pullkeeper.problem" (dict "where" "dnsConfig.nameservers" "expected" "one to three IP addresses, because dnsPolicy=None configures no other DNS server") }}
{{- end }}
{{- $families := default list .Values.service.ipFamilies }}
{{- if and (gt (len $families) 1) (not (has .Values.service.ipFamilyPolicy (list "PreferDualStack" "RequireDualStack"))) }}
{{- include "pullkeeper.problem" (dict "where" "service.ipFamilyPolicy" "found" .Values.service.ipFamilyPolicy "expected" "PreferDualStack or RequireDualStack, because service.ipFamilies names two") }}
{{- end }}
{{- range $key := list "runtimeClassName" "schedulerName" "priorityClassName" }}
{{- with get $.Values $key }}
{{- include "pullkeeper.nameProblem" (dict "where" $key "found" . "what" (get (dict "runtimeClassName" "RuntimeClass" "schedulerName" "scheduler" "priorityClassName" "PriorityClass") $key)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pullkeeper.replicaProblems" }}
{{- if not .Values.leaderElection }}
{{- if gt (int .Values.replicas) 1 }}
{{- include "pullkeeper.problem" (dict "where" "replicas" "found" .Values.replicas "expected" "1 without leader election: set leaderElection=true or replicas=1") }}
{{- end }}
{{- $type := get (default dict .Values.deploymentStrategy) "type" | default "" }}
{{- if and .Values.deploymentStrategy (ne $type "Recreate") }}
{{- include "pullkeeper.problem" (dict "where" "deploymentStrategy.type" "found" $type "expected" "Recreate without leader election, because two controllers must not run at the same time: set deploymentStrategy.type=Recreate or leaderElection=true") }}
{{- end }}
{{- end }}
{{- $strategy := default dict .Values.deploymentStrategy }}
{{- $rolling := get $strategy "rollingUpdate" | default dict }}
{{- if and $rolling (eq (get $strategy "type" | default "") "Recreate") }}
{{- include "pullkeeper.problem" (dict "where" "deploymentStrategy.rollingUpdate" "found" $rolling "expected" "nothing, because deploymentStrategy.type is Recreate: remove one of them") }}
{{- end }}
{{- if and (hasKey $rolling "maxSurge") (hasKey $rolling "maxUnavailable") (has (toString $rolling.maxSurge) (list "0" "0%")) (has (toString $rolling.maxUnavailable) (list "0" "0%")) }}
{{- include "pullkeeper.problem" (dict "where" "deploymentStrategy.rollingUpdate" "found" $rolling "expected" "more than 0 for one of maxSurge and maxUnavailable, because otherwise no pod could ever be replaced") }}
{{- end }}
{{- end }}

{{- /* A budget that is none, or that lets no pod ever be evicted: whoever drains a node would wait for ever. */ -}}
{{- define "pullkeeper.budgetProblems" }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if $budget.enabled }}
{{- $fewest := toString $budget.minAvailable }}
{{- $key := ternary "maxUnavailable" "minAvailable" (eq $fewest "") }}
{{- $where := print "podDisruptionBudget." $key }}
{{- $given := get $budget $key | toString }}
{{- $replicas := int .Values.replicas }}
{{- $number := trimSuffix "%" $given | int }}
{{- $pods := $number }}
{{- if hasSuffix "%" $given }}{{ $pods = divf (mul $number $replicas) 100 | ceil | int }}{{ end }}
{{- if and (eq $given "") (eq $key "maxUnavailable") }}
{{- include "pullkeeper.problem" (dict "where" $where "expected" "a number or a percentage here or in podDisruptionBudget.minAvailable") }}
{{- else if not (regexMatch "^(?:[0-9]{1,5}|(?:100|[0-9]{1,2})%)$" $given) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" $given "expected" "a number such as 1, or a percentage such as \"50%\"") }}
{{- else if and (gt $replicas 1) (eq $key "maxUnavailable") (lt $pods 1) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" (get $budget $key) "expected" "at least 1, because otherwise no node with a replica could ever be drained: raise it, or set podDisruptionBudget.enabled=false") }}
{{- else if and (gt $replicas 1) (eq $key "minAvailable") (ge $pods $replicas) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" (get $budget $key) "expected" (printf "at most %d with replicas=%d, because otherwise no node with a replica could ever be drained: lower it, or set podDisruptionBudget.enabled=false" (sub $replicas 1) $replicas)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Quantities that are none, and limits below their requests, which no API server takes. */ -}}
{{- define "pullkeeper.resourceProblems" }}
{{- $resources := default dict .Values.resources }}
{{- $limits := get $resources "limits" | default dict }}
{{- $requests := get $resources "requests" | default dict }}
{{- range $kind := list "requests" "limits" }}
{{- range $name, $quantity := get $resources $kind | default dict }}
{{- if not (or (kindIs "invalid" $quantity) (include "pullkeeper.quantity" $quantity)) }}
{{- include "pullkeeper.problem" (dict "where" (printf "resources.%s.%s" $kind $name) "found" $quantity "expected" "a quantity such as \"256Mi\", \"1Gi\", \"100m\" or 0.5") }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $limit := $limits }}
{{- $most := include "pullkeeper.quantity" $limit }}
{{- $least := include "pullkeeper.quantity" (get $requests $name) }}
{{- if and $most $least (lt (float64 $most) (float64 $least)) }}
{{- include "pullkeeper.problem" (dict "where" (print "resources.limits." $name) "found" $limit "expected" (printf "at least resources.requests.%s, %v: raise the limit or lower the request" $name (get $requests $name))) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A quantity of Kubernetes as a number; nothing if it is none. */ -}}
{{- define "pullkeeper.quantity" }}
{{- $text := toString . }}
{{- if regexMatch `^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3}|[numkMGTPE]|[KMGTPE]i)?$` $text }}
{{- $unit := regexFind "(?:[numkMGTPE]|[KMGTPE]i)$" $text }}
{{- $units := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 }}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit) }}
{{- end }}
{{- end }}

{{- define "pullkeeper.podProblems" }}
{{- $own := list }}
{{- range include "pullkeeper.awsEnv" . | fromYamlArray }}{{ $own = append $own .name }}{{ end }}
{{- $names := list }}
{{- range $index, $variable := .Values.extraEnv }}
{{- $where := printf "extraEnv[%d].name" $index }}
{{- if has $variable.name $names }}
{{- include "pullkeeper.problem" (dict "where" $where "found" $variable.name "expected" "another variable, because an earlier entry of extraEnv sets this one") }}
{{- end }}
{{- $names = append $names $variable.name }}
{{- if hasPrefix "PULLKEEPER_" $variable.name }}
{{- include "pullkeeper.problem" (dict "where" $where "found" $variable.name "expected" "another variable: use `settings`, from which the chart derives permissions and probes") }}
{{- else if has $variable.name $own }}
{{- include "pullkeeper.problem" (dict "where" $where "found" $variable.name "expected" "another variable, because the chart derives this one from aws.*: remove it or set aws.credentials=custom") }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pullkeeper.extraPodProblems" }}
{{- $found := dict "names" (list "pullkeeper" "check") }}
{{- range $key := list "extraInitContainers" "extraContainers" }}
{{- range $index, $container := get $.Values $key | default list }}
{{- $where := printf "%s[%d].name" $key $index }}
{{- include "pullkeeper.labelProblem" (dict "where" $where "found" .name "what" "container") }}
{{- if has .name $found.names }}
{{- include "pullkeeper.problem" (dict "where" $where "found" .name "expected" (print "another name, because the pods have one of these: " (join ", " $found.names))) }}
{{- end }}
{{- $_ := set $found "names" (append $found.names .name) }}
{{- end }}
{{- end }}
{{- $volumes := include "pullkeeper.awsVolumes" . | fromYaml | dig "volumes" list }}
{{- $own := list }}
{{- range until (sub (len $volumes) (default list .Values.extraVolumes | len) | int) }}{{ $own = append $own (index $volumes .).name }}{{ end }}
{{- $_ := set $found "names" $own }}
{{- range $index, $volume := .Values.extraVolumes }}
{{- $where := printf "extraVolumes[%d].name" $index }}
{{- include "pullkeeper.labelProblem" (dict "where" $where "found" .name "what" "volume") }}
{{- if has .name $found.names }}
{{- include "pullkeeper.problem" (dict "where" $where "found" .name "expected" (print "another name, because the pods have one of these: " (join ", " $found.names))) }}
{{- end }}
{{- $_ := set $found "names" (append $found.names .name) }}
{{- end }}
{{- include "pullkeeper.mountProblems" (dict "where" "extraVolumeMounts" "mounts" .Values.extraVolumeMounts "volumes" $found.names) }}
{{- range $key := list "extraInitContainers" "extraContainers" }}
{{- range $index, $container := get $.Values $key | default list }}
{{- include "pullkeeper.mountProblems" (dict "where" (printf "%s[%d].volumeMounts" $key $index) "mounts" .volumeMounts "volumes" $found.names) }}
{{- end }}
{{- end }}
{{- include "pullkeeper.mountPathProblems" . }}
{{- end }}

{{- /* Mounts of what is no volume of the pods. A dict: where, mounts, volumes. */ -}}
{{- define "pullkeeper.mountProblems" }}
{{- range $index, $mount := kindIs "slice" .mounts | ternary .mounts list }}
{{- if not (has .name $.volumes) }}
{{- include "pullkeeper.problem" (dict "where" (printf "%s[%d].name" $.where $index) "found" .name "expected" (print "a volume of the pods: " (join ", " $.volumes))) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Mounts where the controller's container has something mounted already. */ -}}
{{- define "pullkeeper.mountPathProblems" }}
{{- $mounts := include "pullkeeper.awsContainer" . | fromYaml | dig "volumeMounts" list }}
{{- $own := sub (len $mounts) (default list .Values.extraVolumeMounts | len) | int }}
{{- $paths := list }}
{{- /* The root, the token for the API server, and where the image has its programs. */ -}}
{{- $reserved := list "" "/var/run/secrets/kubernetes.io/serviceaccount" "/usr" "/etc" "/lib" "/bin" }}
{{- range $index, $mount := $mounts }}
{{- $path := toString .mountPath | trimSuffix "/" }}
{{- $where := printf "extraVolumeMounts[%d].mountPath" (sub $index $own) }}
{{- if lt $index $own }}
{{- else if not (hasPrefix "/" (toString .mountPath) | and .mountPath) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" .mountPath "expected" "an absolute path") }}
{{- else if has $path (concat $reserved $paths) }}
{{- include "pullkeeper.problem" (dict "where" $where "found" .mountPath "expected" (print "another path, because these are taken: " (concat $paths (without $reserved "") | join ", "))) }}
{{- else }}
{{- range slice $paths 0 $own }}
{{- if hasPrefix (print . "/") $path }}
{{- include "pullkeeper.problem" (dict "where" $where "found" $mount.mountPath "expected" (printf "a path that is not in %s, because nothing can be mounted in what is read-only" .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- $paths = append $paths $path }}
{{- end }}
{{- end }}

{{- /* Entries for hosts: Helm 4 refuses two with the same address. */ -}}
{{- define "pullkeeper.hostAliasProblems" }}
{{- $found := list }}
{{- range $index, $alias := .Values.hostAliases }}
{{- if has .ip $found }}
{{- include "pullkeeper.problem" (dict "where" (printf "hostAliases[%d].ip" $index) "found" .ip "expected" "each address once: put all its hostnames into one entry") }}
{{- end }}
{{- $found = append $found .ip }}
{{- end }}
{{- end }}
