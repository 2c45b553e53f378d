{{- /* How Prometheus reads the metrics, the same for a ServiceMonitor and a PodMonitor: a dict of root and its values. */ -}}
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
