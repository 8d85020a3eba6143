{{/*
An image repository with its registry. global.imageRegistry replaces docker.io, both if the repository begins with
docker.io and if it names no registry. A repository that names another registry keeps it. Takes {root, repository}.
*/}}
{{- define "deltastream.repository" -}}
{{- $mirror := (.root.Values.global | default dict).imageRegistry | default "" | trimSuffix "/" -}}
{{- $parts := splitList "/" .repository -}}
{{- $named := and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}
{{- if not (and $mirror (or (not $named) (eq (first $parts) "docker.io"))) -}}
{{- .repository -}}
{{- else -}}
{{- printf "%s/%s" $mirror (join "/" (ternary (rest $parts) $parts $named)) -}}
{{- end -}}
{{- end -}}

{{/*
The image of a DeltaStream component. A digest takes precedence over a tag, and the component's own repository over
the common one. Takes {root, component, image?}.
*/}}
{{- define "deltastream.image" -}}
{{- $common := .root.Values.image -}}
{{- $own := .image | default dict -}}
{{- $repository := $own.repository | default (printf "%s/%s/%s" $common.registry $common.repository .component) -}}
{{- $name := include "deltastream.repository" (dict "root" .root "repository" $repository) -}}
{{- if $own.digest -}}
{{- printf "%s@%s" $name $own.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($own.tag | default $common.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The image of Redis or MongoDB. Takes {root, image}. */}}
{{- define "deltastream.storeImage" -}}
{{- $name := include "deltastream.repository" (dict "root" .root "repository" .image.repository) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name .image.tag -}}
{{- end -}}
{{- end -}}

{{/*
Names of the Secrets with registry credentials, from image.pullSecrets and global.imagePullSecrets, as a list in JSON.
*/}}
{{- define "deltastream.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.image.pullSecrets | default list) ((.Values.global | default dict).imagePullSecrets | default list) -}}
{{- $names = append $names (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") .) -}}
{{- end -}}
{{- $names | uniq | toJson -}}
{{- end -}}

{{/*
The StorageClass of a claim: its own, or global.storageClass, or the cluster's default, in this order. `-` gives an empty class,
for volumes that an administrator creates. Takes {root, storageClass}.
*/}}
{{- define "deltastream.storageClass" -}}
{{- with .storageClass | default (.root.Values.global | default dict).storageClass }}
storageClassName: {{ ternary "" . (eq . "-") | quote }}
{{- end }}
{{- end -}}
