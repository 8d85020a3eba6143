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

{{/* Addresses outside the release, as peers of a policy. Takes {cidr, cidrs}. */}}
{{- define "deltastream.blocks" -}}
{{- range without (prepend (.cidrs | default list) (.cidr | default "")) "" }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end -}}
