{{/* The port of each component that other components call. */}}
{{- define "deltastream.ports" -}}
{"analytics": 8004, "api-gateway": 8000, "auth": 8001, "logging-service": 8005, "mongodb": 27017, "redis": 6379, "socket-gateway": 8002, "storage": 8003}
{{- end -}}

{{/* The ports of components that serve only probes and metrics, by container name. */}}
{{- define "deltastream.metricsPorts" -}}
{"feed-generator": {"generator": 9100}, "operator": {"operator": 8080}, "worker-enricher": {"subscriber": 9101, "worker": 9102}}
{{- end -}}

{{/* The port of a component that other components call. Takes {component}. */}}
{{- define "deltastream.port" -}}
{{- get (include "deltastream.ports" . | fromJson) .component -}}
{{- end -}}

{{/* The port on which a container serves probes and metrics. Takes {component, container}. */}}
{{- define "deltastream.metricsPort" -}}
{{- get (get (include "deltastream.metricsPorts" . | fromJson) .component) .container -}}
{{- end -}}
