{{/*
The spec of a Job that runs a script of files/backup. Takes {root, component, script, resources, retries, secrets?,
readOnly?, scratch?}. With `scratch` the pod has a scratch volume as large as the container's limit for ephemeral
storage.
*/}}
{{- define "deltastream.backupJob" -}}
{{- $values := .root.Values.backup -}}
{{- $context := dict "root" .root "component" .component "values" $values -}}
{{- $env := dict "BACKUP_DIR" "/backups" -}}
{{- if .secrets }}{{ $_ := set $env "KEEP" $values.keep }}{{ end -}}
{{- if .scratch }}{{ $_ := set $env "SCRATCH" "/scratch" }}{{ end -}}
backoffLimit: {{ .retries }}
activeDeadlineSeconds: {{ $values.deadlineSeconds }}
# An eviction, for example from a drained node, does not count as a failed attempt.
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
template:
  metadata:
    {{- include "deltastream.podMetadata" $context | nindent 4 }}
  spec:
    {{- include "deltastream.pod" $context | nindent 4 }}
    {{- with include "deltastream.spread" (merge (dict "singleReplica" true) $context) }}{{ . | nindent 4 }}{{ end }}
    restartPolicy: Never # each attempt is a new pod and keeps its log
    terminationGracePeriodSeconds: 5 # unfinished work is discarded
    containers:
      - name: {{ .component }}
        image: {{ include "deltastream.storeImage" (dict "root" .root "image" .root.Values.mongodb.image) | quote }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command: [bash, /etc/deltastream/{{ .script }}]
        env:
          {{- include "deltastream.env" (merge (dict "env" $env "secrets" .secrets) $context) | trim | nindent 10 }}
        resources:
          {{- toYaml .resources | nindent 10 }}
        {{- include "deltastream.containerSecurity" $context | nindent 8 }}
        terminationMessagePolicy: FallbackToLogsOnError
        volumeMounts:
          {{- include "deltastream.mounts" (merge (dict "secrets" .secrets) $context) | nindent 10 }}
          - {name: scripts, mountPath: /etc/deltastream, readOnly: true}
          - {name: backups, mountPath: /backups, readOnly: {{ .readOnly | default false }}}
          {{- if .scratch }}
          - {name: scratch, mountPath: /scratch}
          {{- end }}
    volumes:
      {{- include "deltastream.volumes" (merge (dict "secrets" .secrets) $context) | nindent 6 }}
      - name: scripts
        configMap: {name: {{ include "deltastream.name" (dict "root" .root "component" "backup") | quote }}}
      - name: backups
        persistentVolumeClaim:
          claimName: {{ $values.existingClaim | default (include "deltastream.name" (dict "root" .root "component" "backup")) | quote }}
      {{- if .scratch }}
      - name: scratch
        emptyDir: {sizeLimit: {{ get .resources.limits "ephemeral-storage" | quote }}}
      {{- end }}
{{- end -}}

{{/* The metadata of a CronJob. Kubernetes limits its name to 52 characters. Takes {root, component}. */}}
{{- define "deltastream.cronMetadata" -}}
{{- $name := include "deltastream.short" (dict "name" (include "deltastream.name" .) "length" 52) -}}
{{- include "deltastream.metadata" (dict "root" .root "component" .component "name" $name) -}}
{{- end -}}

{{/* The schedule and history limits of a CronJob. Takes {root, schedule}. */}}
{{- define "deltastream.cron" -}}
schedule: {{ .schedule | quote }}
timeZone: {{ .root.Values.backup.timeZone | quote }}
concurrencyPolicy: Forbid
startingDeadlineSeconds: 3600
successfulJobsHistoryLimit: 3
failedJobsHistoryLimit: 3
{{- end -}}
