{{- /* What a ServiceMonitor and a PodMonitor have in common: the selector (from the root) and the endpoint (from the monitor's values). */ -}}
{{- define "pullkeeper.monitorSelector" -}}
selector:
  matchLabels:
    {{- include "pullkeeper.selectorLabels" . | nindent 4 }}
namespaceSelector:
  matchNames:
    - {{ include "pullkeeper.namespace" . }}
{{- end }}

{{- define "pullkeeper.monitorEndpoint" -}}
port: http
path: /metrics
{{- if .honorLabels }}
honorLabels: true
{{- end }}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
