{{- /* Keys of other charts. The value is not shown: it may be an access key. */ -}}
{{- define "pullkeeper.habitProblems" }}
{{- range $path, $instead := .Files.Get "habits.yaml" | fromYaml }}
{{- $parts := splitList "." $path }}
{{- $place := $.Values }}
{{- range initial $parts }}{{ $place = kindIs "map" $place | ternary (get $place .) nil }}{{ end }}
{{- if kindIs "map" $place | and (hasKey (kindIs "map" $place | ternary $place dict) (last $parts)) }}
{{ $path }}: found a key that this chart does not have, expected {{ $instead }}
{{- end }}
{{- end }}
{{- end }}
