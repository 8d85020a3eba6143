{{/*
A value as JSON, templates in its strings filled in. JSON, since a string stays one whatever it becomes. Takes {root, value}.
*/}}
{{- define "deltastream.rendered" -}}
{{- $root := .root -}}
{{- $inner := list -}}
{{- if kindIs "map" .value -}}
{{- range $key, $each := .value -}}
{{- $inner = append $inner (printf "%s:%s" (toJson $key) (include "deltastream.rendered" (dict "root" $root "value" $each))) -}}
{{- end -}}
{{- printf "{%s}" (join "," $inner) -}}
{{- else if kindIs "slice" .value -}}
{{- range .value }}{{ $inner = append $inner (include "deltastream.rendered" (dict "root" $root "value" .)) }}{{ end -}}
{{- printf "[%s]" (join "," $inner) -}}
{{- else if and (kindIs "string" .value) (contains "{{" .value) -}}
{{- tpl .value $root | toJson -}}
{{- else -}}
{{- toJson .value -}}
{{- end -}}
{{- end -}}

{{/* A list of a component's, templates filled in, or nothing. Takes {root, values?, key}. */}}
{{- define "deltastream.extra" -}}
{{- with index (.values | default dict) .key -}}
{{- include "deltastream.rendered" (dict "root" $.root "value" .) | fromJsonArray | toYaml -}}
{{- end -}}
{{- end -}}

{{/*
env entries: plain values, X_FILE for each key of a Secret, and the user's own, which replace either: no name may come
twice. What listens gets the address. A number from a file is a float64, and toString makes 1e+06 of a million.
Takes {root, values?, env, secrets, listens?}.
*/}}
{{- define "deltastream.env" -}}
{{- $values := .values | default dict -}}
{{- $own := dict -}}
{{- range $values.extraEnv }}{{ $_ := set $own .name true }}{{ end -}}
{{- $env := .env | default dict -}}
{{- if and .listens .root.Values.listenAddress -}}
{{- $env = merge (dict "HOST" .root.Values.listenAddress) $env -}}
{{- end -}}
{{- range $name, $value := $env }}
{{- if not (hasKey $own $name) }}
- name: {{ $name }}
  value: {{ kindIs "float64" $value | ternary (toJson $value) (toString $value) | quote }}
{{- end }}
{{- end }}
{{- range $variable, $key := .secrets }}
{{- if not (or (hasKey $own $variable) (hasKey $own (printf "%s_FILE" $variable))) }}
- name: {{ $variable }}_FILE
  value: /run/secrets/deltastream/{{ $key }}
{{- end }}
{{- end }}
{{- with include "deltastream.extra" (dict "root" .root "values" .values "key" "extraEnv") }}
{{ . }}
{{- end }}
{{- end -}}
