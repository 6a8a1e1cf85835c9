{{- define "spanstore.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "spanstore.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spanstore.labels" -}}
{{ include "spanstore.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Which kinds of pods there are: with SQLite one process does all. */}}
{{- define "spanstore.kinds" -}}
{{- if eq .Values.catalog.kind "sqlite" }}recorder{{ else }}recorder api janitor{{ end }}
{{- end }}

{{/* The kind of pods that answers. */}}
{{- define "spanstore.front" -}}
{{- if eq .Values.catalog.kind "sqlite" }}recorder{{ else }}api{{ end }}
{{- end }}

{{- define "spanstore.tlsSecret" -}}
{{ .Values.tls.secretName | default (printf "%s-tls" (include "spanstore.name" .)) }}
{{- end }}

{{/* Names that the pods are asked under, as a list. */}}
{{- define "spanstore.hosts" -}}
{{- $name := include "spanstore.name" . }}
{{- range list $name (printf "%s-recorders" $name) }}
- {{ . }}
- {{ . }}.{{ $.Release.Namespace }}
- {{ . }}.{{ $.Release.Namespace }}.svc
{{- end }}
{{- if .Values.ingress.enabled }}
- {{ .Values.ingress.host }}
{{- end }}
{{- end }}

{{/* What is asked of values that the schema cannot say. */}}
{{- define "spanstore.check" -}}
{{- $v := .Values }}
{{- if eq $v.catalog.kind "sqlite" }}
{{- if gt (int $v.recorder.replicas) 1 }}
{{- fail (printf "recorder.replicas is %d, and a SQLite catalog is one recorder's alone: set catalog.kind to postgresql, or recorder.replicas to 1" (int $v.recorder.replicas)) }}
{{- end }}
{{- else }}
{{- if or (not $v.catalog.host) (not $v.catalog.secretName) }}
{{- fail "catalog.kind is postgresql: name the server in catalog.host, and in catalog.secretName the Secret with its password" }}
{{- end }}
{{- if not $v.stores }}
{{- fail "several pods need a store that all of them reach: name one in stores (S3, or a volume that is ReadWriteMany)" }}
{{- end }}
{{- if not $v.audit.secretName }}
{{- fail "the pods of a site sign one audit log with one key: name the Secret with audit.key in audit.secretName" }}
{{- end }}
{{- if not $v.secrets.secretName }}
{{- fail "the pods of a site encrypt cameras' passwords under one key: name the Secret with secrets.key in secrets.secretName" }}
{{- end }}
{{- end }}
{{- range $v.stores }}
{{- if and (eq .kind "s3") (not (and .endpoint .bucket .secretName)) }}
{{- fail (printf "store %s is S3: give endpoint, bucket, and in secretName the Secret with its keys" .name) }}
{{- end }}
{{- if and (eq .kind "directory") (not .claim) }}
{{- fail (printf "store %s is a directory: name the PersistentVolumeClaim it lies on in claim" .name) }}
{{- end }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.host) }}
{{- fail "ingress.enabled takes ingress.host, the name that callers ask under" }}
{{- end }}
{{- if and $v.parent.user (not $v.parent.secretName) }}
{{- fail "parent.user takes parent.secretName, the Secret with its password" }}
{{- end }}
{{- with $v.evidence }}
{{- if or (ne (empty .certificateKey) (empty .keyKey)) (ne (empty .onvifCertificateKey) (empty .onvifKeyKey)) }}
{{- fail "a certificate signs with its key: evidence.certificateKey takes evidence.keyKey, evidence.onvifCertificateKey takes evidence.onvifKeyKey" }}
{{- end }}
{{- if ne (empty .timestampUrl) (empty .timestampCaKey) }}
{{- fail "a stamp counts by who vouches for its authority: evidence.timestampUrl takes evidence.timestampCaKey" }}
{{- end }}
{{- if and (or .certificateKey .onvifCertificateKey .timestampUrl) (not .secretName) }}
{{- fail "evidence takes evidence.secretName, the Secret that its keys and certificates lie in" }}
{{- end }}
{{- if and .secretName (not (or .certificateKey .onvifCertificateKey .timestampUrl)) }}
{{- fail "evidence.secretName: say what of it signs: evidence.certificateKey, onvifCertificateKey, or timestampUrl" }}
{{- end }}
{{- end }}
{{- if and $v.serviceMonitor.enabled (not $v.serviceMonitor.tokenSecretName) }}
{{- fail "serviceMonitor.enabled takes serviceMonitor.tokenSecretName, the Secret with a token that may read metrics" }}
{{- end }}
{{- if and $v.evidence.secretName (hasKey $v.settings "evidence") }}
{{- fail "settings.evidence is written by the chart: use evidence" }}
{{- end }}
{{- range list "site" "url" "node" "node_url" "roles" "data" "catalog" "stores" "parent" }}
{{- if hasKey $v.settings . }}
{{- fail (printf "settings.%s is written by the chart: use its values" .) }}
{{- end }}
{{- end }}
{{- range list "listen" "certificate" "key" }}
{{- if hasKey ($v.settings.api | default dict) . }}
{{- fail (printf "settings.api.%s is written by the chart: use tls" .) }}
{{- end }}
{{- end }}
{{- if hasKey ($v.settings.audit | default dict) "key" }}
{{- fail "settings.audit.key is written by the chart: use audit.secretName" }}
{{- end }}
{{- if hasKey ($v.settings.secrets | default dict) "key" }}
{{- fail "settings.secrets.key is written by the chart: use secrets.secretName" }}
{{- end }}
{{- end }}
