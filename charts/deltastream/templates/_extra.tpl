{{/*
A value as JSON, with the templates in its strings rendered. JSON keeps a rendered string a string, whatever it
contains. Takes {root, value}.
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

{{/*
A list from a component's values with its templates rendered, or nothing if it is empty. Takes {root, values?, key}.
*/}}
{{- define "deltastream.extra" -}}
{{- with index (.values | default dict) .key -}}
{{- include "deltastream.rendered" (dict "root" $.root "value" .) | fromJsonArray | toYaml -}}
{{- end -}}
{{- end -}}

{{/*
The env entries of a container: plain values, an X_FILE for each key of a Secret, and the user's extraEnv. An entry of
extraEnv replaces the chart's entry of the same name, because Kubernetes allows a name once. With `listens` the
container also gets HOST, the address to listen on. A number from a values file is a float64; toJson prints it, because
toString would print a million as 1e+06. Takes {root, values?, env, secrets, listens?}.
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
