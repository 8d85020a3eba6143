{{/* Components of this release that call the Kubernetes API server, as a list in JSON. */}}
{{- define "deltastream.apiServerCallers" -}}
{{- $callers := list "operator" -}}
{{- if include "deltastream.generatedSecrets" . | fromJsonArray }}{{ $callers = append $callers "init-secrets" }}{{ end -}}
{{- if .Values.crds.upgrade }}{{ $callers = append $callers "crd-upgrade" }}{{ end -}}
{{- if .Values.tests.enabled }}{{ $callers = append $callers "smoke" }}{{ end -}}
{{- $callers | toJson -}}
{{- end -}}

{{/*
The metadata of a policy. With `hooks` the policy is a hook itself and exists before the pods of these hooks run.
Takes {root, component, name, hooks?}.
*/}}
{{- define "deltastream.policyMetadata" -}}
{{- $annotations := dict -}}
{{- if .hooks -}}
{{- $annotations = include "deltastream.hook" (dict "hooks" .hooks "weight" "-20") | fromYaml -}}
{{- end -}}
{{- include "deltastream.metadata" (dict "root" .root "component" .component "name" .name "annotations" $annotations) -}}
{{- end -}}

{{/* "true" if the text is a range of IPv4 or IPv6 addresses in CIDR notation. */}}
{{- define "deltastream.isBlock" -}}
{{- $byte := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- $v4 := printf "^(%s[.]){3}%s/([12]?[0-9]|3[0-2])$" $byte $byte -}}
{{- $v6 := "^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){0,6})?::([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){0,6})?)/([1-9]?[0-9]|1[01][0-9]|12[0-8])$" -}}
{{- if or (regexMatch $v4 .) (regexMatch $v6 .) }}true{{ end -}}
{{- end -}}

{{/* Addresses outside the release, as peers of a policy. Takes {cidr, cidrs}. */}}
{{- define "deltastream.blocks" -}}
{{- range without (prepend (.cidrs | default list) (.cidr | default "")) "" }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end -}}
