{{/*
The prefix of all objects' names. It has at most 40 characters, so that a name with a suffix stays within 63. A longer
name is cut and gets a hash, so that two long names with the same beginning stay different. A Service's name must begin
with a letter and contain no dot; a release's name may begin with a digit and contain dots.
*/}}
{{- define "deltastream.fullname" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if contains "." $name -}}
{{- $name = printf "%s-%s" ($name | replace "." "-") ($name | sha256sum | trunc 8) -}}
{{- end -}}
{{- if regexMatch "^[0-9]" $name -}}
{{- $name = printf "deltastream-%s" $name -}}
{{- else if and (not .Values.fullnameOverride) (not (contains "deltastream" $name)) -}}
{{- $name = printf "%s-deltastream" (include "deltastream.short" (dict "name" $name "length" 28)) -}}
{{- end -}}
{{- include "deltastream.short" (dict "name" $name "length" 40) -}}
{{- end -}}

{{/* A name cut to a length, with a hash if it was longer. Takes {name, length}. */}}
{{- define "deltastream.short" -}}
{{- if le (len .name) .length -}}
{{- .name -}}
{{- else -}}
{{- printf "%s-%s" (.name | trunc (int (sub .length 9)) | trimSuffix "-") (.name | sha256sum | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/* The name of a component's objects. Takes {root, component}. */}}
{{- define "deltastream.name" -}}
{{- printf "%s-%s" (include "deltastream.fullname" .root) .component -}}
{{- end -}}

{{/*
The host names for which a gateway answers anonymous reads, separated by commas: the names inside the cluster, those of
the Ingress or HTTPRoute, and the given ones. Takes {root, component, given}.
*/}}
{{- define "deltastream.gatewayHosts" -}}
{{- $own := include "deltastream.name" . -}}
{{- $space := .root.Release.Namespace -}}
{{- $hosts := list $own (printf "%s.%s" $own $space) (printf "%s.%s.svc" $own $space) (printf "%s.%s.svc.cluster.local" $own $space) -}}
{{- range concat (.root.Values.ingress.hosts | default list) (.root.Values.httpRoute.hostnames | default list) .given -}}
{{- if not (hasPrefix "*" .) }}{{ $hosts = append $hosts . }}{{ end -}}
{{- end -}}
{{- join "," ($hosts | uniq) -}}
{{- end -}}

{{/* The URL of a DeltaStream service inside the cluster. Takes {root, component}. */}}
{{- define "deltastream.url" -}}
{{- printf "http://%s:%s" (include "deltastream.name" .) (include "deltastream.port" .) -}}
{{- end -}}

{{/*
The name of a component's Secret: the user's existing Secret, or the one that the hook creates. Takes {root,
component}.
*/}}
{{- define "deltastream.secret" -}}
{{- $values := .root.Values -}}
{{- if eq .component "redis" -}}
{{- if $values.redis.enabled -}}
{{- $values.redis.existingSecret | default (include "deltastream.name" .) -}}
{{- else -}}
{{- $values.externalRedis.existingSecret -}}
{{- end -}}
{{- else if eq .component "mongodb" -}}
{{- if $values.mongodb.enabled -}}
{{- $values.mongodb.existingSecret | default (include "deltastream.name" .) -}}
{{- else -}}
{{- $values.externalMongodb.existingSecret -}}
{{- end -}}
{{- else -}}
{{- $values.auth.existingSecret | default (include "deltastream.name" .) -}}
{{- end -}}
{{- end -}}

{{/* The component whose Secret holds a key. Takes the key. */}}
{{- define "deltastream.secretOfKey" -}}
{{- $redis := list "redis_url" "celery_broker_url" "celery_result_backend" "operator_redis_url" "operator-password" "users.acl" -}}
{{- $mongodb := list "mongo_url" "keyfile" "root-password" "app-password" -}}
{{- if has . $redis }}redis{{ else if has . $mongodb }}mongodb{{ else }}auth{{ end -}}
{{- end -}}
