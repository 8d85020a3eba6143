{{/* The port of each component that can be called. */}}
{{- define "deltastream.ports" -}}
{"analytics": 8004, "api-gateway": 8000, "auth": 8001, "logging-service": 8005, "mongodb": 27017, "redis": 6379, "socket-gateway": 8002, "storage": 8003}
{{- end -}}

{{/* Components that ask the API server. */}}
{{- define "deltastream.apiServerCallers" -}}
["operator", "init-secrets", "crd-upgrade", "smoke"]
{{- end -}}

{{/* metadata of a policy that must be there before the hooks run. Takes {root, component, name, hooks?}. */}}
{{- define "deltastream.policyMetadata" -}}
{{- $annotations := dict -}}
{{- if .hooks -}}
{{- $annotations = include "deltastream.hook" (dict "hooks" .hooks "weight" "-20") | fromYaml -}}
{{- end -}}
{{- include "deltastream.metadata" (dict "root" .root "component" .component "name" .name "annotations" $annotations) -}}
{{- end -}}
