{{/* An image of ours; a digest wins over a tag, a repository over the common name. Takes {root, component, image?}. */}}
{{- define "deltastream.image" -}}
{{- $global := .root.Values.image -}}
{{- $own := .image | default dict -}}
{{- $name := $own.repository | default (printf "%s/%s/%s" $global.registry $global.repository .component) -}}
{{- if $own.digest -}}
{{- printf "%s@%s" $name $own.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($own.tag | default $global.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A store's image. Takes {image}. */}}
{{- define "deltastream.storeImage" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository .image.tag -}}
{{- end -}}
{{- end -}}
