{{/*
The Deployment of a DeltaStream HTTP service. Takes {root, component, values, env, secrets, ready?}. `env` maps plain
variables to values. `secrets` maps variables to keys of Secrets, which the container reads from files. `ready` replaces
the path /readyz.
*/}}
{{- define "deltastream.deployment" -}}
{{- $image := include "deltastream.image" (dict "root" .root "component" .component "image" .values.image) -}}
{{- $env := merge (dict "LOG_LEVEL" (include "deltastream.logLevel" .)) (.env | default dict) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "deltastream.metadata" (dict "root" .root "component" .component) | nindent 2 }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "deltastream.selector" . | nindent 6 }}
  template:
    metadata:
      {{- include "deltastream.podMetadata" (dict "root" .root "component" .component "values" .values) | nindent 6 }}
    spec:
      {{- include "deltastream.pod" . | nindent 6 }}
      {{- include "deltastream.spread" . | nindent 6 }}
      terminationGracePeriodSeconds: 30
      {{- with include "deltastream.devInit" (dict "root" .root "values" .values "image" $image "resources" .values.resources) }}{{ . | trim | nindent 6 }}{{ end }}
      containers:
        - name: {{ .component }}
          image: {{ $image | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          env:
            {{- include "deltastream.env" (dict "root" .root "values" .values "env" $env "secrets" .secrets "listens" true) | trim | nindent 12 }}
          ports:
            - {name: http, containerPort: {{ include "deltastream.port" . }}, protocol: TCP}
          {{- include "deltastream.probes" (dict "port" "http" "ready" .ready) | nindent 10 }}
          # Accept connections until the Service's endpoints no longer include the pod.
          lifecycle: {preStop: {sleep: {seconds: 5}}}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          {{- include "deltastream.containerSecurity" . | nindent 10 }}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            {{- include "deltastream.mounts" . | nindent 12 }}
            {{- with include "deltastream.devMount" . }}{{ . | trim | nindent 12 }}{{ end }}
      volumes:
        {{- include "deltastream.volumes" . | nindent 8 }}
        {{- with include "deltastream.devVolume" . }}{{ . | trim | nindent 8 }}{{ end }}
{{- end -}}

{{/* The IP families of a Service; empty means the cluster's default. Takes the root. */}}
{{- define "deltastream.ipFamilies" -}}
{{- with .Values.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The Service of a DeltaStream HTTP service. Takes {root, component, values}. */}}
{{- define "deltastream.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "deltastream.metadata" (dict "root" .root "component" .component "annotations" (.values.service | default dict).annotations) | nindent 2 }}
spec:
  type: {{ (.values.service | default dict).type | default "ClusterIP" }}
  {{- include "deltastream.ipFamilies" .root | nindent 2 }}
  selector:
    {{- include "deltastream.selector" . | nindent 4 }}
  ports:
    - {name: http, port: {{ include "deltastream.port" . }}, targetPort: http, protocol: TCP}
{{- end -}}

{{/*
A PodDisruptionBudget that allows one voluntary eviction at a time, or maxUnavailable of them. Takes {root, component,
maxUnavailable?}.
*/}}
{{- define "deltastream.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "deltastream.metadata" (dict "root" .root "component" .component) | nindent 2 }}
spec:
  maxUnavailable: {{ .maxUnavailable | default 1 }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "deltastream.selector" . | nindent 6 }}
{{- end -}}

{{/*
The ServiceAccount of a component. Pods get no token automatically; those that need one mount it. Takes {root,
component, values?, annotations?}.
*/}}
{{- define "deltastream.serviceAccount" -}}
{{- $own := ((.values | default dict).serviceAccount | default dict).annotations | default dict -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "deltastream.metadata" (merge (dict "annotations" (merge dict (.annotations | default dict) $own)) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{/* All objects of a DeltaStream HTTP service. Takes what deltastream.deployment takes. */}}
{{- define "deltastream.httpService" -}}
{{ include "deltastream.deployment" . }}
---
{{ include "deltastream.service" . }}
---
{{ include "deltastream.pdb" (dict "root" .root "component" .component) }}
---
{{ include "deltastream.serviceAccount" (dict "root" .root "component" .component "values" .values) }}
{{- end -}}
