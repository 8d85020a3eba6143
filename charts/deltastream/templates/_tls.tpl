{{/*
TLS between the services and the stores, Redis and MongoDB. A client finds the CA of a store at
/run/secrets/deltastream/{redis,mongodb}-ca.crt, beside the keys of its Secret, and the store's URL names that file.
Only the store's own pod mounts the server's certificate and key.
*/}}
{{/*
The name of the Secret with a store's CA. It is empty if the store does not use TLS or the component is not a store. Takes
{root, component}.
*/}}
{{- define "deltastream.caSecret" -}}
{{- if has .component (list "redis" "mongodb") -}}
{{- $values := get .root.Values .component -}}
{{- if $values.enabled }}{{ $values.tlsSecret }}{{ else }}{{ (get .root.Values (printf "external%s" (title .component))).caSecret }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* A store's CA as a source of the projected volume `secrets`. Takes {root, component}. */}}
{{- define "deltastream.caSource" -}}
{{- with include "deltastream.caSecret" . }}
- secret:
    name: {{ . | quote }}
    items:
      - {key: ca.crt, path: {{ $.component }}-ca.crt}
{{- end }}
{{- end -}}

{{/* The path at which clients find a store's CA. Takes {component}. */}}
{{- define "deltastream.caFile" -}}
/run/secrets/deltastream/{{ .component }}-ca.crt
{{- end -}}

{{/* The volume with a store's certificate and key. Takes the store's values. */}}
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

{{/* The mount of the volume with a store's certificate and key. Takes the store's values. */}}
{{- define "deltastream.tlsMount" -}}
{{- if .tlsSecret }}
- {name: tls, mountPath: /run/secrets/tls, readOnly: true}
{{- end }}
{{- end -}}
