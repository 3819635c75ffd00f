{{- define "buildscaler.labels" -}}
app.kubernetes.io/name: {{ .Values.name | quote }}
{{- end -}}
