{{/*
With dev.syncCode a container's /app is a volume that begins as a copy of the image's: `skaffold dev` can write
into it and a restarted container keeps what came. The root stays read-only.
*/}}
{{/* The init container that fills it. Takes {root, values, image, resources}. */}}
{{- define "deltastream.devInit" -}}
{{- if .root.Values.dev.syncCode }}
initContainers:
  - name: code
    image: {{ .image | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    # With the files' times, or Python would compile again what the image has compiled; not with the folder's own,
    # which belongs to the kubelet.
    command: [sh, -c, cp -r --preserve=timestamps /app/* /code]
    resources:
      {{- toYaml .resources | nindent 6 }}
    {{- include "deltastream.containerSecurity" . | nindent 4 }}
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
      - {name: code, mountPath: /code}
{{- end }}
{{- end -}}

{{/* Its mount. Takes {root}. */}}
{{- define "deltastream.devMount" -}}
{{- if .root.Values.dev.syncCode }}
- {name: code, mountPath: /app}
{{- end }}
{{- end -}}

{{/* The volume. Takes {root}. */}}
{{- define "deltastream.devVolume" -}}
{{- if .root.Values.dev.syncCode }}
- name: code
  emptyDir: {sizeLimit: 32Mi}
{{- end }}
{{- end -}}
