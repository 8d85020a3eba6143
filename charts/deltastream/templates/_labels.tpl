{{/* What a selector may use: nothing that changes with a version. Takes {root, component}. */}}
{{- define "deltastream.selector" -}}
app.kubernetes.io/name: deltastream
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object, the user's too. A label takes no `+`. Takes {root, component, labels?}. */}}
{{- define "deltastream.labels" -}}
{{- $partOf := "app.kubernetes.io/part-of" -}}
{{- $others := merge dict (.labels | default dict) (.root.Values.commonLabels | default dict) -}}
{{ include "deltastream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{ $partOf }}: {{ get $others $partOf | default "deltastream" | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- with omit $others $partOf }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object. Takes {root, component, name?, labels?, annotations?}. */}}
{{- define "deltastream.metadata" -}}
name: {{ .name | default (include "deltastream.name" .) | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "deltastream.labels" . | nindent 2 }}
{{- with merge dict (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
metadata of a pod: what selectors use, and what users add. `values` are those of the component that the pod belongs to;
a hook's pod has none. Takes {root, component, values?, annotations?}.
*/}}
{{- define "deltastream.podMetadata" -}}
{{- $values := .values | default dict -}}
labels:
  {{- include "deltastream.selector" . | nindent 2 }}
  {{- with merge dict ($values.podLabels | default dict) (.root.Values.commonLabels | default dict) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge dict (.annotations | default dict) ($values.podAnnotations | default dict) (.root.Values.commonAnnotations | default dict) }}
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
