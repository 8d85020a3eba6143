{{/*
Labels for selectors. None of them changes with the version, because selectors cannot be updated. Takes {root,
component}.
*/}}
{{- define "deltastream.selector" -}}
app.kubernetes.io/name: deltastream
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/*
Labels of an object, including the user's. Label values cannot contain `+`, so `_` replaces it. Takes {root,
component, labels?}.
*/}}
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

{{/* The metadata of an object. Takes {root, component, name?, labels?, annotations?}. */}}
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
The metadata of a pod: the labels for selectors, and the user's labels and annotations. `values` are those of the pod's
component; the pod of a hook has no values. Takes {root, component, values?, annotations?}.
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

{{/*
Annotations of a hook's object. Helm deletes the object once all hooks of the event have succeeded. Takes {hooks,
weight}.
*/}}
{{- define "deltastream.hook" -}}
helm.sh/hook: {{ .hooks }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
