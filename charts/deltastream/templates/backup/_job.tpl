{{/*
A Job that runs a script of files/backup. Takes {root, component, script, resources, retries, secrets?, readOnly?,
scratch?}: with `scratch` there is a volume of what the container's limit of ephemeral storage allows.
*/}}
{{- define "deltastream.backupJob" -}}
{{- $values := .root.Values.backup -}}
{{- $context := dict "root" .root "component" .component "values" $values -}}
{{- $env := dict "BACKUP_DIR" "/backups" -}}
{{- if .secrets }}{{ $_ := set $env "KEEP" $values.keep }}{{ end -}}
{{- if .scratch }}{{ $_ := set $env "SCRATCH" "/scratch" }}{{ end -}}
backoffLimit: {{ .retries }}
activeDeadlineSeconds: {{ $values.deadlineSeconds }}
# A node that is drained is no failed attempt.
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
template:
  metadata:
    {{- include "deltastream.podMetadata" $context | nindent 4 }}
  spec:
    {{- include "deltastream.pod" $context | nindent 4 }}
    {{- with include "deltastream.spread" (merge (dict "alone" true) $context) }}{{ . | nindent 4 }}{{ end }}
    restartPolicy: Never # each attempt keeps its log
    terminationGracePeriodSeconds: 5 # what was not finished is thrown away
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

{{/* metadata of a CronJob, whose name may have 52 characters. Takes {root, component}. */}}
{{- define "deltastream.cronMetadata" -}}
{{- $name := include "deltastream.short" (dict "name" (include "deltastream.name" .) "length" 52) -}}
{{- include "deltastream.metadata" (dict "root" .root "component" .component "name" $name) -}}
{{- end -}}

{{/* When a CronJob runs. Takes {root, schedule}. */}}
{{- define "deltastream.cron" -}}
schedule: {{ .schedule | quote }}
timeZone: {{ .root.Values.backup.timeZone | quote }}
concurrencyPolicy: Forbid
startingDeadlineSeconds: 3600
successfulJobsHistoryLimit: 3
failedJobsHistoryLimit: 3
{{- end -}}
