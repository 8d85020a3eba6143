{{/*
Volumes for `skaffold dev`. With dev.syncCode the /app of a container is a volume that starts as a copy of the
image's /app. `skaffold dev` can write into it, and a restarted container keeps the changes. The root file system
stays read-only.
*/}}
{{/* The init container that copies the image's /app into the volume. Takes {root, values, image, resources}. */}}
{{- define "deltastream.devInit" -}}
{{- if .root.Values.dev.syncCode }}
initContainers:
  - name: code
    image: {{ .image | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    # Keep the files' timestamps, so that Python uses the bytecode that the image contains. Do not set the timestamp
    # of the folder itself, because the kubelet owns it.
    command: [sh, -c, cp -r --preserve=timestamps /app/* /code]
    resources:
      {{- toYaml .resources | nindent 6 }}
    {{- include "deltastream.containerSecurity" . | nindent 4 }}
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts:
      - {name: code, mountPath: /code}
{{- end }}
{{- end -}}

{{/* The mount of the code volume. Takes {root}. */}}
{{- define "deltastream.devMount" -}}
{{- if .root.Values.dev.syncCode }}
- {name: code, mountPath: /app}
{{- end }}
{{- end -}}

{{/* The code volume. Takes {root}. */}}
{{- define "deltastream.devVolume" -}}
{{- if .root.Values.dev.syncCode }}
- name: code
  emptyDir: {sizeLimit: 32Mi}
{{- end }}
{{- end -}}
