{{/* What a selector may use: nothing that changes with a version. Takes {root, component}. */}}
{{- define "deltastream.selector" -}}
app.kubernetes.io/name: deltastream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Takes {root, component}. */}}
{{- define "deltastream.labels" -}}
{{ include "deltastream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: deltastream
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* metadata of an object. Takes {root, component, name?, annotations?}. */}}
{{- define "deltastream.metadata" -}}
name: {{ .name | default (include "deltastream.name" .) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "deltastream.labels" . | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Annotations of a hook's object; it goes once all hooks of the event are through. Takes {hooks, weight}. */}}
{{- define "deltastream.hook" -}}
helm.sh/hook: {{ .hooks }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
