{{/*
The securityContext of a pod or container: the common keys, overridden by the component's keys. A key that is null is
left out. The whole block is left out if the component's block is null or `enabled` is false. On OpenShift users and
groups are left out, because OpenShift assigns them and refuses others. Takes {root, values, key}; `key` is
podSecurityContext or containerSecurityContext.
*/}}
{{- define "deltastream.securityContext" -}}
{{- $merged := dict -}}
{{- if not (kindIs "invalid" (index .values .key)) -}}
{{- range list (index .root.Values .key) (index .values .key) -}}
{{- range $name, $value := . }}{{ $_ := set $merged $name $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $enabled := ne "false" (get $merged "enabled" | toString) -}}
{{- $left := list "enabled" -}}
{{- if eq "true" (include "deltastream.clusterAssignsUsers" .root) -}}
{{- $left = concat $left (list "runAsUser" "runAsGroup" "fsGroup") -}}
{{- end -}}
{{- range $name, $value := $merged -}}
{{- if kindIs "invalid" $value }}{{ $left = append $left $name }}{{ end -}}
{{- end -}}
{{- range $left }}{{ $_ := unset $merged . }}{{ end -}}
{{- if and $enabled $merged -}}
securityContext:
  {{- toYaml $merged | nindent 2 }}
{{- end -}}
{{- end -}}

{{/*
"true" if the cluster assigns users to pods: OpenShift, detected by its API or forced by a value. Takes the root.
*/}}
{{- define "deltastream.clusterAssignsUsers" -}}
{{- $openshift := ((.Values.global | default dict).compatibility | default dict).openshift | default dict -}}
{{- $adapt := $openshift.adaptSecurityContext | default "auto" -}}
{{- or (eq $adapt "force") (and (eq $adapt "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
{{- end -}}
