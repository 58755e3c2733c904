{{- define "bigpipe.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "bigpipe.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "bigpipe.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bigpipe.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "bigpipe.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "bigpipe.selector" -}}
app.kubernetes.io/name: {{ include "bigpipe.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "bigpipe.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "bigpipe.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "bigpipe.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bigpipe.managementSecret" -}}
{{- default (printf "%s-management" (include "bigpipe.fullname" .)) .Values.management.existingSecret -}}
{{- end -}}

{{/* The file as the pods read it: what the user wrote, and what only the chart knows. */}}
{{- define "bigpipe.config" -}}
{{- $driver := get .Values.config "broker.driver" | default .Values.mode -}}
{{- if ne $driver .Values.mode -}}
{{- fail (printf "config[\"broker.driver\"] is %s and mode is %s: set mode, the driver follows it" $driver .Values.mode) -}}
{{- end -}}
{{- range $key := list "http.server.port" "http.server.host" "management.port" "management.host" "management.token" "broker.embedded.directory" -}}
{{- if hasKey $.Values.config $key -}}
{{- fail (printf "config[%q] is the chart's own: see service, management and storage in values.yaml" $key) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.mode "kafka") (not (get .Values.config "kafka.bootstrap.servers")) -}}
{{- fail "mode kafka needs config[\"kafka.bootstrap.servers\"], like kafka-0:9092,kafka-1:9092" -}}
{{- end -}}
{{- $own := dict "broker.driver" .Values.mode "management.host" "0.0.0.0" "management.token" "${file:/etc/bigpipe/secrets/management-token}" -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toPrettyJson -}}
{{- end -}}

{{/* Seconds from the signal to the kill: everything that a drain may take, one after another. */}}
{{- define "bigpipe.gracePeriod" -}}
{{- $config := .Values.config -}}
{{- $longestMs := 0 -}}
{{- range (get $config "kafka.consumer.list" | default list) -}}
{{- $longestMs = max $longestMs (int64 (.timeout | default 0)) -}}
{{- end -}}
{{- $readMs := int64 (get $config "http.server.read.timeout" | default 5000) -}}
{{- $delayMs := int64 (get $config "http.server.stop.delay" | default 0) -}}
{{- $ms := add $longestMs $readMs $delayMs -}}
{{- $margin := ternary 32 12 (eq .Values.mode "kafka") -}}
{{- add (int64 .Values.preStop.sleepSeconds) (div (add $ms 999) 1000) $margin -}}
{{- end -}}

{{/* What a StatefulSet and a Deployment have in common. */}}
{{- define "bigpipe.podTemplate" -}}
metadata:
  labels:
    {{- include "bigpipe.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or .Values.restartOnConfigChange .Values.podAnnotations }}
  annotations:
    {{- if .Values.restartOnConfigChange }}
    checksum/config: {{ include "bigpipe.config" . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  terminationGracePeriodSeconds: {{ if kindIs "invalid" .Values.terminationGracePeriodSeconds }}{{ include "bigpipe.gracePeriod" . }}{{ else }}{{ int64 .Values.terminationGracePeriodSeconds }}{{ end }}
  serviceAccountName: {{ include "bigpipe.serviceAccount" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext: {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.extraInitContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: bigpipe
      image: {{ include "bigpipe.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext: {{- toYaml .Values.securityContext | nindent 8 }}
      {{- if .Values.small }}
      args: [./start.sh, --small]
      {{- end }}
      env:
        - { name: BIGPIPE_CONFIG, value: /etc/bigpipe/config/bigpipe.json }
        - { name: BIGPIPE_PORT, value: "10086" }
        - { name: BIGPIPE_MANAGEMENT_PORT, value: {{ .Values.management.port | quote }} }
        - { name: BIGPIPE_DATA_DIR, value: /data }
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - { name: http, containerPort: 10086 }
        - { name: management, containerPort: {{ .Values.management.port }} }
        {{- with get .Values.config "grpc.server.port" }}
        - { name: grpc, containerPort: {{ int64 . }} }
        {{- end }}
      {{- if gt (int64 .Values.preStop.sleepSeconds) 0 }}
      lifecycle:
        preStop:
          exec:
            command: [node, -e, "setTimeout(() => {}, {{ mul 1000 (int64 .Values.preStop.sleepSeconds) }})"]
      {{- end }}
      {{- with .Values.startupProbe }}
      startupProbe: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.livenessProbe }}
      livenessProbe: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.readinessProbe }}
      readinessProbe: {{- toYaml . | nindent 8 }}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        # Whole directories: only those are followed when Kubernetes swaps them.
        - { name: config, mountPath: /etc/bigpipe/config, readOnly: true }
        - { name: secrets, mountPath: /etc/bigpipe/secrets, readOnly: true }
        - { name: tmp, mountPath: /tmp }
        - { name: data, mountPath: /data }
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap: { name: {{ include "bigpipe.fullname" . }} }
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ include "bigpipe.managementSecret" . }}
              items: [{ key: management-token, path: management-token }]
          {{- with .Values.existingSecret }}
          - secret: { name: {{ . }} }
          {{- end }}
    - name: tmp
      emptyDir: {}
    {{- if eq .Values.mode "kafka" }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and (eq .Values.mode "kafka") .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range .Values.topologySpreadConstraints }}
    - {{ toYaml . | nindent 6 | trim }}
      labelSelector:
        matchLabels: {{- include "bigpipe.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
{{- end -}}
