{{- define "bigpipe.labels" -}}
app.kubernetes.io/name: bigpipe
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}
{{- define "bigpipe.selector" -}}
app.kubernetes.io/name: bigpipe
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
