{{- define "exchange.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "exchange.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "exchange.labels" -}}
{{ include "exchange.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "exchange.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* What is no secret. The migration runs before a ConfigMap of this release is there. */}}
{{- define "exchange.config" -}}
EXCHANGE_DATA_DIR: /tmp/exchange
EXCHANGE_STORAGE_URL: {{ .Values.config.storageUrl | quote }}
EXCHANGE_PUBLIC_URL: {{ .Values.config.publicUrl | quote }}
EXCHANGE_LOG_LEVEL: {{ .Values.config.logLevel | quote }}
EXCHANGE_LOG_FORMAT: {{ .Values.config.logFormat | quote }}
EXCHANGE_TRUSTED_PROXIES: {{ .Values.config.trustedProxies | quote }}
EXCHANGE_OTLP_ENDPOINT: {{ .Values.config.otlpEndpoint | quote }}
AWS_REGION: {{ .Values.config.s3.region | quote }}
{{- with .Values.config.s3.endpoint }}
AWS_ENDPOINT: {{ . | quote }}
{{- end }}
{{- if .Values.config.s3.allowHttp }}
AWS_ALLOW_HTTP: "true"
{{- end }}
{{- range $name, $value := .Values.config.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Each process gets the secrets that it needs by name: workers never the secret key. */}}
{{- define "exchange.secrets" -}}
{{- range .names }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.root.Values.secret.existingSecret | quote }}, key: {{ . }}}
{{- end }}
{{- range .optional }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.root.Values.secret.existingSecret | quote }}, key: {{ . }}, optional: true}
{{- end }}
{{- end }}

{{- define "exchange.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "exchange.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
