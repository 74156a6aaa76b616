{{- define "codesieve.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "codesieve.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "codesieve.labels" -}}
{{ include "codesieve.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "codesieve.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "codesieve.rayToken" -}}
{{ .Values.ray.auth.existingSecret | default (include "codesieve.name" .) }}
{{- end }}

{{- define "codesieve.health" -}}
codesieve-health
{{- if .Values.access.tls.existingSecret }} --ca /etc/codesieve/tls/ca.crt --name {{ .Values.access.tls.serverName }}{{ end }}
{{- end }}

{{/* What is left writable under a read-only root. */}}
{{- define "codesieve.scratchMounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: home, mountPath: /home/codesieve }
- { name: run, mountPath: /run/user/10001 }
- { name: shm, mountPath: /dev/shm }
{{- end }}

{{- define "codesieve.scratch" -}}
- { name: tmp, emptyDir: {} }
- { name: home, emptyDir: {} }
- { name: run, emptyDir: {} }
- { name: shm, emptyDir: { medium: Memory, sizeLimit: {{ .shm | quote }} } }
{{- end }}

{{- define "codesieve.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
{{- end }}

{{- define "codesieve.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Values that don't go together. */}}
{{- define "codesieve.check" -}}
{{- if not .Values.store.existingSecret }}
{{- fail "store.existingSecret: name a secret with the store's URL (postgresql://USER:PASSWORD@HOST/DATABASE)" }}
{{- end }}
{{- if not .Values.access.insecure }}
{{- if not .Values.access.tokens.existingSecret }}
{{- fail "access.tokens.existingSecret: name a secret with tokens.toml, or set access.insecure" }}
{{- end }}
{{- if not .Values.access.tls.existingSecret }}
{{- fail "access.tls.existingSecret: name a TLS secret, or set access.insecure" }}
{{- end }}
{{- end }}
{{- range $option, $_ := .Values.frontend.options }}
{{- if has $option (list "listen" "metrics-listen" "ray-address" "dedicated-nodes" "sandbox" "sandbox-workers" "cells" "isolation" "model" "replicas" "tensor-parallel" "drain-seconds" "retention-days" "tokens" "tls-cert" "tls-key" "insecure" "store") }}
{{- fail (printf "frontend.options: %s is not to be set here, the chart sets it" $option) }}
{{- end }}
{{- end }}
{{- if gt (mul .Values.frontend.replicas .Values.sandbox.workers) (int64 .Values.sandbox.maxReplicas) }}
{{- fail "sandbox.maxReplicas: it must be at least frontend.replicas x sandbox.workers, as each worker takes a pod" }}
{{- end }}
{{- if and .Values.gpu.enabled (lt (int .Values.gpu.gpus) (int .Values.frontend.tensorParallel)) }}
{{- fail "gpu.gpus: a pod must have at least frontend.tensorParallel GPUs" }}
{{- end }}
{{- end }}
