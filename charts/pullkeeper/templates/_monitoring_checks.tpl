{{- /* Checks of monitors and alerts; _checks.tpl says how a check reports. */ -}}
{{- define "pullkeeper.monitorProblems" }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- include "pullkeeper.problem" (dict "where" "podMonitor.enabled" "found" true "expected" "false, because serviceMonitor.enabled is true and every series would be scraped twice: enable only one") }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
{{- include "pullkeeper.problem" (dict "where" "serviceMonitor.enabled" "found" true "expected" "false, because service.enabled is false: set service.enabled=true or use podMonitor") }}
{{- end }}
{{- range $monitor := list "serviceMonitor" "podMonitor" }}
{{- range $key := list "interval" "scrapeTimeout" }}
{{- with get (get $.Values $monitor) $key }}
{{- include "pullkeeper.patternProblem" (dict "where" (printf "%s.%s" $monitor $key) "found" . "pattern" "(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?" "expected" "a duration such as \"30s\" or \"1m\"") }}
{{- end }}
{{- end }}
{{- $interval := get (get $.Values $monitor) "interval" }}
{{- $timeout := get (get $.Values $monitor) "scrapeTimeout" }}
{{- if and $interval $timeout (gt (include "pullkeeper.seconds" $timeout | int) (include "pullkeeper.seconds" $interval | int)) }}
{{- include "pullkeeper.problem" (dict "where" (print $monitor ".scrapeTimeout") "found" $timeout "expected" (printf "at most %s.interval, %s: Prometheus refuses more" $monitor $interval)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What `prometheusRule` changes: each alert has figures of its own, and Prometheus its own durations. */ -}}
{{- define "pullkeeper.alertProblems" }}
{{- $rule := .Values.prometheusRule }}
{{- $known := .Files.Get "alerts/alerts.yaml" | fromYaml }}
{{- range $name, $given := $rule.alerts }}
{{- $where := print "prometheusRule.alerts." $name }}
{{- $defaults := (get $known $name).defaults }}
{{- range $key, $value := default dict $given }}
{{- $place := printf "%s.%s" $where $key }}
{{- if not (hasKey $defaults $key) }}
{{- include "pullkeeper.problem" (dict "where" $place "found" $value "expected" (print "nothing, because this alert has only " (keys $defaults | sortAlpha | join ", "))) }}
{{- else if has $key (list "for" "window") }}
{{- $zero := and (eq $key "window") (not (regexMatch "[1-9]" $value)) }}
{{- $pattern := ternary "" "(?:[0-9]{1,6}(?:ms|[ywdhms]))+" $zero }}
{{- include "pullkeeper.patternProblem" (dict "where" $place "found" $value "pattern" $pattern "expected" "a duration of Prometheus such as \"10m\" or \"1h30m\"") }}
{{- else if eq $key "severity" }}
{{- include "pullkeeper.patternProblem" (dict "where" $place "found" $value "pattern" "[A-Za-z0-9._-]{1,63}" "expected" "a word such as warning or critical") }}
{{- end }}
{{- end }}
{{- end }}
{{- if regexMatch "^\\s*\\{" (tpl $rule.selector .) }}
{{- include "pullkeeper.problem" (dict "where" "prometheusRule.selector" "found" $rule.selector "expected" "matchers without braces, such as namespace=\"pullkeeper-system\"") }}
{{- end }}
{{- include "pullkeeper.patternProblem" (dict "where" "prometheusRule.runbookUrl" "found" $rule.runbookUrl "pattern" "https?://[^\\s#]+" "expected" "the URL of a page, https://HOST/PATH; the name of the alert is added as #NAME") }}
{{- end }}
