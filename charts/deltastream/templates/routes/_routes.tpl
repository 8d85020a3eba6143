{{/* The path, component, Service name and port of each route, as a list in JSON. The longest path comes first. */}}
{{- define "deltastream.routes" -}}
{{- $ports := include "deltastream.ports" . | fromJson -}}
{{- $routes := list -}}
{{- range list (list "/socket.io" "socket-gateway") (list "/" "api-gateway") -}}
{{- $path := first . -}}
{{- $component := last . -}}
{{- $name := include "deltastream.name" (dict "root" $ "component" $component) -}}
{{- $routes = append $routes (dict "path" $path "component" $component "name" $name "port" (get $ports $component)) -}}
{{- end -}}
{{- $routes | toJson -}}
{{- end -}}

{{/* The URLs under which the Ingress and the HTTPRoute expose the gateways, as a list in JSON. */}}
{{- define "deltastream.gatewayUrls" -}}
{{- $urls := list -}}
{{- if .Values.ingress.enabled -}}
{{- $hosts := .Values.ingress.hosts | default (list "<address of the ingress controller>") -}}
{{- $secure := list -}}
{{- range .Values.ingress.tls -}}
{{- $secure = concat $secure (.hosts | default $hosts) -}}
{{- end -}}
{{- range $hosts -}}
{{- $urls = append $urls (printf "%s://%s" (ternary "https" "http" (has . $secure)) .) -}}
{{- end -}}
{{- end -}}
{{- if .Values.httpRoute.enabled -}}
{{- range .Values.httpRoute.hostnames | default (list "<address of the Gateway>") -}}
{{- $urls = append $urls (printf "http(s)://%s" .) -}}
{{- end -}}
{{- end -}}
{{- $urls | uniq | toJson -}}
{{- end -}}
