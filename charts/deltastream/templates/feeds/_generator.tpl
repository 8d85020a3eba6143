{{/*
The pod template of a generator. The operator adds what depends on the feed (docs/kubernetes.md). Takes the root.
*/}}
{{- define "deltastream.generatorTemplate" -}}
{{- $values := .Values.feedGenerator -}}
{{- $context := dict "root" $ "component" "feed-generator" "values" $values -}}
{{- $port := include "deltastream.metricsPort" (dict "component" "feed-generator" "container" "generator") -}}
{{- $env := dict "LOG_LEVEL" (include "deltastream.logLevel" $context) "PORT" $port "OPENBLAS_NUM_THREADS" 1 -}}
{{- $image := include "deltastream.image" (dict "root" $ "component" "feed-generator" "image" $values.image) -}}
{{- $secrets := dict "REDIS_URL" "redis_url" -}}
metadata:
  {{- include "deltastream.podMetadata" $context | nindent 2 }}
spec:
  {{- include "deltastream.pod" $context | nindent 2 }}
  {{- include "deltastream.spread" (merge (dict "selectorByOperator" true) $context) | nindent 2 }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with include "deltastream.devInit" (dict "root" $ "values" $values "image" $image "resources" $values.resources) }}{{ . | trim | nindent 2 }}{{ end }}
  containers:
    - name: generator
      image: {{ $image | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env:
        {{- include "deltastream.env" (merge (dict "env" $env "secrets" $secrets "listens" true) $context) | trim | nindent 8 }}
      ports:
        - {name: metrics, containerPort: {{ $port }}, protocol: TCP}
      {{- include "deltastream.probes" (dict "port" "metrics") | nindent 6 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      {{- include "deltastream.containerSecurity" $context | nindent 6 }}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        {{- include "deltastream.mounts" (dict "root" $ "values" $values "secrets" $secrets) | nindent 8 }}
        {{- with include "deltastream.devMount" $context }}{{ . | trim | nindent 8 }}{{ end }}
  volumes:
    {{- include "deltastream.volumes" (dict "root" $ "values" $values "secrets" $secrets) | nindent 4 }}
    {{- with include "deltastream.devVolume" $context }}{{ . | trim | nindent 4 }}{{ end }}
{{- end -}}
