{{/*
TLS to the stores. Clients find the CA of a store at /run/secrets/deltastream/{redis,mongodb}-ca.crt, beside the keys
of its Secret, and its URL names that file. The server's own files are in a volume of its pod alone.
*/}}
{{/* The Secret with the CA of a store, if it has one. Takes {root, component}: redis, mongodb or another. */}}
{{- define "deltastream.caSecret" -}}
{{- if has .component (list "redis" "mongodb") -}}
{{- $values := get .root.Values .component -}}
{{- if $values.enabled }}{{ $values.tlsSecret }}{{ else }}{{ (get .root.Values (printf "external%s" (title .component))).caSecret }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The CA as a source of the projected volume `secrets`. Takes {root, component}. */}}
{{- define "deltastream.caSource" -}}
{{- with include "deltastream.caSecret" . }}
- secret:
    name: {{ . | quote }}
    items:
      - {key: ca.crt, path: {{ $.component }}-ca.crt}
{{- end }}
{{- end -}}

{{/* Where a store's clients find the CA. Takes {component}. */}}
{{- define "deltastream.caFile" -}}
/run/secrets/deltastream/{{ .component }}-ca.crt
{{- end -}}

{{/* The volume with a server's certificate and key. Takes the store's values. */}}
{{- define "deltastream.tlsVolume" -}}
{{- with .tlsSecret }}
- name: tls
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- end }}
{{- end -}}

{{/* Its mount. Takes the store's values. */}}
{{- define "deltastream.tlsMount" -}}
{{- if .tlsSecret }}
- {name: tls, mountPath: /run/secrets/tls, readOnly: true}
{{- end }}
{{- end -}}
