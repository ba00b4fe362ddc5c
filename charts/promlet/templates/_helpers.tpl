{{- define "promlet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, which already says promlet or gets it appended; short enough for the suffixes below. */}}
{{- define "promlet.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "promlet.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "promlet.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "promlet.configSecret" -}}
{{ include "promlet.fullname" . }}-agent-config
{{- end }}

{{/* The operator's Service is what people talk to: it has the plain name. */}}
{{- define "promlet.operator.account" -}}
{{- default (printf "%s-operator" (include "promlet.fullname" .)) .Values.serviceAccount.operator.name }}
{{- end }}

{{- define "promlet.agent.account" -}}
{{- default (printf "%s-agent" (include "promlet.fullname" .)) .Values.serviceAccount.agent.name }}
{{- end }}

{{/* Cluster-wide objects carry the namespace, so that two releases of one name do not collide. */}}
{{- define "promlet.clusterName" -}}
{{ .Release.Namespace }}-{{ include "promlet.fullname" . }}
{{- end }}

{{- define "promlet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "promlet.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "promlet.labels" -}}
{{ include "promlet.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "promlet.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "promlet.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.securityContext.runAsUser }}
runAsGroup: {{ .Values.securityContext.runAsGroup }}
fsGroup: {{ .Values.securityContext.runAsGroup }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "promlet.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "promlet.probes" -}}
livenessProbe:
  httpGet:
    path: /-/healthy
    port: web
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /-/ready
    port: web
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{- define "promlet.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* What the operator does with monitors; cluster-wide, or in each namespace of `operator.namespaces`. */}}
{{- define "promlet.operator.monitorRules" -}}
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, podmonitors]
  verbs: [list, watch]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors/status, podmonitors/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if .Values.operator.readCredentials }}
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get]
{{- end }}
{{- end }}
