{{- /*
Bounds and patterns of settings. Written by `make chart-docs` from the controller's own (tools/chart_schema.py): do not
edit.
*/ -}}
{{- define "pullkeeper.clusterNamePattern" }}[A-Za-z0-9._-]{1,40}{{ end }}
{{- define "pullkeeper.namespacePattern" }}[a-z0-9*-]+{{ end }}
{{- define "pullkeeper.maxRegistries" }}200{{ end }}
{{- define "pullkeeper.maxNames" }}200{{ end }}
{{- define "pullkeeper.maxAdditionalSecrets" }}20{{ end }}
{{- define "pullkeeper.maxPath" }}256{{ end }}
{{- define "pullkeeper.maxExternalId" }}1224{{ end }}
{{- define "pullkeeper.externalIdPattern" }}[A-Za-z0-9_+=,.@:/-]{2,}{{ end }}
{{- define "pullkeeper.grantedHostPattern" }}[a-z0-9*._-]+{{ end }}
{{- define "pullkeeper.grantedAudiencePattern" }}[A-Za-z0-9._-]{1,255}{{ end }}
{{- define "pullkeeper.apiServerPrefix" }}kubernetes.{{ end }}
{{- define "pullkeeper.identityNamePattern" }}[a-z0-9](?:[-a-z0-9]{0,30}[a-z0-9])?{{ end }}
{{- define "pullkeeper.audiencePattern" }}[A-Za-z0-9._~:/%@+=-]{1,255}{{ end }}
{{- define "pullkeeper.profilePattern" }}[A-Za-z0-9_.@+=,/-]{1,128}{{ end }}

{{- define "pullkeeper.durations" -}}
refreshJitter: {low: 0, high: 7200, expected: 'a duration such as "90s", "10m" or "1h30m", at most 2h'}
maxTokenAge: {low: 10, high: 43200, expected: 'a duration such as "90s", "10m" or "1h30m", from 10s to 12h'}
relistInterval: {low: 1, high: 86400, expected: 'a duration such as "90s", "10m" or "1h30m", from 1s to 24h'}
optOutGrace: {low: 0, high: 21600, expected: 'a duration such as "90s", "10m" or "1h30m", at most 6h'}
leaseDuration: {low: 3, high: 300, expected: 'a duration such as "90s", "10m" or "1h30m", from 3s to 5m'}
verifyInterval: {low: 5, high: 43200, expected: 'a duration such as "90s", "10m" or "1h30m", from 5s to 12h'}
{{- end }}
