{{/* A container's securityContext. Takes {root, values}. */}}
{{- define "deltastream.containerSecurity" -}}
{{- include "deltastream.securityContext" (dict "root" .root "values" .values "key" "containerSecurityContext") -}}
{{- end -}}

{{/*
The startup, readiness and liveness probes of a container that serves /livez and /readyz. Takes {port, ready?};
`ready` is another path for the readiness probe.
*/}}
{{- define "deltastream.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet: {path: {{ .ready | default "/readyz" }}, port: {{ .port }}}
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 3
livenessProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/*
The volumes of a pod: /tmp, and the keys of Secrets as files. A pod that calls the API server (`token`) also gets a
volume with its service account token. Automounting would put the token into every container of the pod; this way only
a container that mounts the volume has it. Takes {root, values?, secrets?, token?}.
*/}}
{{- define "deltastream.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 32Mi}
{{- if .token }}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}
{{- if .secrets }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- $root := .root }}
      {{- $byComponent := dict }}
      {{- range $key := .secrets | values | uniq | sortAlpha }}
      {{- $component := include "deltastream.secretOfKey" $key }}
      {{- $_ := set $byComponent $component (append (get $byComponent $component | default list) $key) }}
      {{- end }}
      {{- range $component, $keys := $byComponent }}
      - secret:
          name: {{ include "deltastream.secret" (dict "root" $root "component" $component) | quote }}
          items:
            {{- range $keys }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
      {{- with include "deltastream.caSource" (dict "root" $root "component" $component) }}{{ . | trim | nindent 6 }}{{ end }}
      {{- end }}
{{- end }}
{{- with include "deltastream.extra" (dict "root" .root "values" .values "key" "extraVolumes") }}
{{ . }}
{{- end }}
{{- end -}}

{{/*
The mounts of a container. An init container passes no `values` and so gets no extraVolumeMounts. Takes {root,
values?, secrets?, token?}.
*/}}
{{- define "deltastream.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .token }}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
{{- if .secrets }}
- {name: secrets, mountPath: /run/secrets/deltastream, readOnly: true}
{{- end }}
{{- with include "deltastream.extra" (dict "root" .root "values" .values "key" "extraVolumeMounts") }}
{{ . }}
{{- end }}
{{- end -}}

{{/* The parts of a pod's spec other than its containers and volumes. Takes {root, component, values}. */}}
{{- define "deltastream.pod" -}}
serviceAccountName: {{ include "deltastream.name" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with include "deltastream.securityContext" (dict "root" .root "values" .values "key" "podSecurityContext") }}
{{ . }}
{{- end }}
{{- with .root.Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "deltastream.pullSecrets" .root | fromJsonArray }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The topologySpreadConstraints of a pod: the user's, or by default one that puts the replicas of a workload on
different nodes if possible. A constraint without a labelSelector counts the pods of the component. Takes {root,
component, values, singleReplica?, selectorByOperator?}. With `singleReplica` the workload has one replica, so the
default is left out. With `selectorByOperator` the operator adds the labelSelector.
*/}}
{{- define "deltastream.spread" -}}
{{- $constraints := list -}}
{{- $wanted := .values.topologySpreadConstraints | default list -}}
{{- if not (or $wanted .singleReplica) -}}
{{- $wanted = list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- end -}}
{{- $counted := dict "labelSelector" (dict "matchLabels" (include "deltastream.selector" . | fromYaml)) -}}
{{- $selectorByOperator := .selectorByOperator -}}
{{- range $wanted -}}
{{- $constraints = append $constraints (or $selectorByOperator (hasKey . "labelSelector") | ternary . (merge dict (deepCopy .) $counted)) -}}
{{- end -}}
{{- with $constraints -}}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The log level of a component. The component's own level takes precedence over the common one. Takes {root, values}. */}}
{{- define "deltastream.logLevel" -}}
{{- .values.logLevel | default .root.Values.logLevel -}}
{{- end -}}
