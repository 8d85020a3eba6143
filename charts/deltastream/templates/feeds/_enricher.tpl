{{/*
The pod template of an enricher, a pair of subscriber and worker. The operator adds what depends on the feed. Takes
the root.
*/}}
{{- define "deltastream.enricherTemplate" -}}
{{- $values := .Values.workerEnricher -}}
{{- $context := dict "root" $ "component" "worker-enricher" "values" $values -}}
{{- $image := include "deltastream.image" (dict "root" $ "component" "worker-enricher" "image" $values.image) -}}
{{- $secrets := dict
  "REDIS_URL" "redis_url"
  "MONGO_URL" "mongo_url"
  "CELERY_BROKER_URL" "celery_broker_url"
  "CELERY_RESULT_BACKEND" "celery_result_backend" -}}
{{- $containers := list
  (dict "name" "subscriber" "resources" $values.resources)
  (dict "name" "worker" "resources" $values.worker.resources) -}}
metadata:
  {{- include "deltastream.podMetadata" $context | nindent 2 }}
spec:
  {{- include "deltastream.pod" $context | nindent 2 }}
  {{- include "deltastream.spread" (merge (dict "selectorByOperator" true) $context) | nindent 2 }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with include "deltastream.devInit" (dict "root" $ "values" $values "image" $image "resources" $values.resources) }}{{ . | trim | nindent 2 }}{{ end }}
  containers:
    {{- range $containers }}
    {{- $port := include "deltastream.metricsPort" (dict "component" "worker-enricher" "container" .name) }}
    {{- $env := dict "LOG_LEVEL" (include "deltastream.logLevel" $context) "PORT" $port "OPENBLAS_NUM_THREADS" 1 }}
    - name: {{ .name }}
      image: {{ $image | quote }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      command: [python, -m, worker_enricher, {{ .name }}]
      env:
        {{- include "deltastream.env" (merge (dict "env" $env "secrets" $secrets "listens" true) $context) | trim | nindent 8 }}
      ports:
        - {name: metrics{{ if eq .name "worker" }}-worker{{ end }}, containerPort: {{ $port }}, protocol: TCP}
      {{- include "deltastream.probes" (dict "port" $port) | nindent 6 }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      {{- include "deltastream.containerSecurity" $context | nindent 6 }}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        {{- include "deltastream.mounts" (dict "root" $ "values" $values "secrets" $secrets) | nindent 8 }}
        {{- with include "deltastream.devMount" $context }}{{ . | trim | nindent 8 }}{{ end }}
    {{- end }}
  volumes:
    {{- include "deltastream.volumes" (dict "root" $ "values" $values "secrets" $secrets) | nindent 4 }}
    {{- with include "deltastream.devVolume" $context }}{{ . | trim | nindent 4 }}{{ end }}
{{- end -}}
