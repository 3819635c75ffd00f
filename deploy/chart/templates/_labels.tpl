{{- define "buildscaler.labels" -}}
app.kubernetes.io/name: {{ .Values.name | quote }}
{{- end -}}

{{- /* Whether one of several controllers commands: where there are several, they must agree. None of dry runs does. */}}
{{- define "buildscaler.elects" -}}
{{- if index .Values.options "dry-run" }}{{ else if or (gt (int .Values.replicas) 1) (index .Values.options "leader-elect") }}true{{ end -}}
{{- end -}}
