{{/* The components for which the hook init-secrets creates a Secret, as a list in JSON. */}}
{{- define "deltastream.generatedSecrets" -}}
{{- $made := list -}}
{{- if and .Values.redis.enabled (not .Values.redis.existingSecret) }}{{ $made = append $made "redis" }}{{ end -}}
{{- if and .Values.mongodb.enabled (not .Values.mongodb.existingSecret) }}{{ $made = append $made "mongodb" }}{{ end -}}
{{- if not .Values.auth.existingSecret }}{{ $made = append $made "auth" }}{{ end -}}
{{- $made | toJson -}}
{{- end -}}

{{/* The labels of a Secret that the hook creates. Takes {root, component}. */}}
{{- define "deltastream.secretLabels" -}}
labels:
  {{- include "deltastream.selector" . | nindent 2 }}
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The ACL users of Redis: those of the release, and one for each program that writes an external feed. */}}
{{- define "deltastream.redisUsers" -}}
{{- .Files.Get "files/users.acl" -}}
{{- range .Values.redis.writers }}
user writer-{{ . }} on >{writer-{{ . }}-password} resetkeys resetchannels -@all %W~feed:{{ . }} +xadd
{{- end -}}
{{- end -}}

{{/*
The Secrets and keys that the hook creates if they are missing. Random values are generated once and never changed.
*/}}
{{- define "deltastream.secretsPlan" -}}
{{- $name := include "deltastream.fullname" . -}}
{{- $made := include "deltastream.generatedSecrets" . | fromJsonArray -}}
secrets:
  {{- if has "redis" $made }}
  {{- $redis := dict "root" . "component" "redis" }}
  {{- $host := printf "%s:%s" (include "deltastream.name" $redis) (include "deltastream.port" $redis) }}
  {{- $scheme := ternary "rediss" "redis" (ne .Values.redis.tlsSecret "") }}
  {{- $options := ternary (printf "?ssl_ca_certs=%s" (include "deltastream.caFile" (dict "component" "redis"))) "" (ne .Values.redis.tlsSecret "") }}
  - name: "{{ $name }}-redis"
    {{- include "deltastream.secretLabels" (dict "root" . "component" "redis") | nindent 4 }}
    keys:
      app-password: {random: 32}
      operator-password: {random: 32}
      users.acl:
        template: |
          {{- include "deltastream.redisUsers" . | trim | nindent 10 }}
      redis_url: {template: "{{ $scheme }}://app:{app-password}@{{ $host }}/0{{ $options }}"}
      celery_broker_url: {template: "{{ $scheme }}://app:{app-password}@{{ $host }}/1{{ $options }}"}
      celery_result_backend: {template: "{{ $scheme }}://app:{app-password}@{{ $host }}/2{{ $options }}"}
      operator_redis_url: {template: "{{ $scheme }}://operator:{operator-password}@{{ $host }}/0{{ $options }}"}
      {{- range .Values.redis.writers }}
      writer-{{ . }}-password: {random: 32}
      writer-{{ . }}_redis_url: {template: "{{ $scheme }}://writer-{{ . }}:{writer-{{ . }}-password}@{{ $host }}/0{{ $options }}"}
      {{- end }}
  {{- end }}
  {{- if has "mongodb" $made }}
  - name: "{{ $name }}-mongodb"
    {{- include "deltastream.secretLabels" (dict "root" . "component" "mongodb") | nindent 4 }}
    keys:
      keyfile: {random: 64}
      root-password: {random: 32}
      app-password: {random: 32}
      mongo_url:
        template: "mongodb://app:{app-password}@{{ include "deltastream.mongodbMembers" . }}/deltastream?replicaSet=deltastream&authSource=deltastream{{ if .Values.mongodb.tlsSecret }}&tls=true&tlsCAFile={{ include "deltastream.caFile" (dict "component" "mongodb") }}{{ end }}"
  {{- end }}
  {{- if has "auth" $made }}
  - name: "{{ $name }}-auth"
    {{- include "deltastream.secretLabels" (dict "root" . "component" "auth") | nindent 4 }}
    keys:
      jwt_secret: {random: 48}
      jwt_previous_secret: {template: ""} # set by hand during a rotation; the next upgrade empties it
      client_api-gateway: {random: 32}
      client_analytics: {random: 32}
      service_clients:
        template: >-
          {"api-gateway": {"secret": "{client_api-gateway}", "audiences": ["storage", "analytics", "logging"]},
          "analytics": {"secret": "{client_analytics}", "audiences": ["storage"]}}
  {{- end }}
{{- end -}}
