{{- /*
Bounds and patterns of settings. Written by `make chart-docs` from the controller's own (tools/chart_schema.py): do not
edit.
*/ -}}
{{- define "pullkeeper.clusterNamePattern" }}[A-Za-z0-9._-]{1,40}{{ end }}
{{- define "pullkeeper.namespacePattern" }}[a-z0-9*-]+{{ end }}
{{- define "pullkeeper.maxRegistries" }}200{{ end }}
{{- define "pullkeeper.maxNames" }}200{{ end }}

{{- define "pullkeeper.durations" -}}
refreshJitter: {low: 0, high: 7200, expected: 'a duration such as "90s", "10m" or "1h30m", at most 2h'}
maxTokenAge: {low: 10, high: 43200, expected: 'a duration such as "90s", "10m" or "1h30m", from 10s to 12h'}
relistInterval: {low: 1, high: 86400, expected: 'a duration such as "90s", "10m" or "1h30m", from 1s to 24h'}
optOutGrace: {low: 0, high: 21600, expected: 'a duration such as "90s", "10m" or "1h30m", at most 6h'}
leaseDuration: {low: 3, high: 300, expected: 'a duration such as "90s", "10m" or "1h30m", from 3s to 5m'}
verifyInterval: {low: 5, high: 43200, expected: 'a duration such as "90s", "10m" or "1h30m", from 5s to 12h'}
{{- end }}
