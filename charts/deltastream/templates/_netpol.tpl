{{/* Components of this release that ask the API server, as a list in JSON. */}}
{{- define "deltastream.apiServerCallers" -}}
{{- $callers := list "operator" -}}
{{- if include "deltastream.generatedSecrets" . | fromJsonArray }}{{ $callers = append $callers "init-secrets" }}{{ end -}}
{{- if .Values.crds.upgrade }}{{ $callers = append $callers "crd-upgrade" }}{{ end -}}
{{- if .Values.tests.enabled }}{{ $callers = append $callers "smoke" }}{{ end -}}
{{- $callers | toJson -}}
{{- end -}}

{{/* metadata of a policy that must be there before the hooks run. Takes {root, component, name, hooks?}. */}}
{{- define "deltastream.policyMetadata" -}}
{{- $annotations := dict -}}
{{- if .hooks -}}
{{- $annotations = include "deltastream.hook" (dict "hooks" .hooks "weight" "-20") | fromYaml -}}
{{- end -}}
{{- include "deltastream.metadata" (dict "root" .root "component" .component "name" .name "annotations" $annotations) -}}
{{- end -}}

{{/* Addresses outside, as peers of a policy. Takes {cidr, cidrs}. */}}
{{- define "deltastream.blocks" -}}
{{- range without (prepend (.cidrs | default list) (.cidr | default "")) "" }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end -}}
