{{/* recorder.yaml of all pods; node, node_url and roles are each pod's own. Secrets are pointed to. */}}
{{- define "spanstore.settings" -}}
{{- $v := .Values }}
{{- $own := dict "site" $v.site "data" "/var/lib/recorder" }}
{{- with $v.url }}{{- $_ := set $own "url" . }}{{- end }}
{{- if eq $v.catalog.kind "postgresql" }}
{{- $ca := ternary (printf "/etc/recorder/catalog/%s" $v.catalog.caKey) "/etc/ssl/certs/ca-certificates.crt" (ne $v.catalog.caKey "") }}
{{- $_ := set $own "catalog" (printf "postgresql://%s:{file:/etc/recorder/catalog/%s}@%s:%d/%s?sslmode=%s&sslrootcert=%s" (urlquery $v.catalog.user | replace "+" "%20") $v.catalog.passwordKey $v.catalog.host (int $v.catalog.port) (urlquery $v.catalog.database | replace "+" "%20") $v.catalog.sslmode $ca) }}
{{- end }}
{{- with $v.parent.url }}
{{- $url := . }}
{{- if $v.parent.user }}
{{- $parts := splitn "://" 2 . }}
{{- $url = printf "%s://%s:{file:/etc/recorder/parent/%s}@%s" $parts._0 (urlquery $v.parent.user | replace "+" "%20") $v.parent.passwordKey $parts._1 }}
{{- end }}
{{- $_ := set $own "parent" $url }}
{{- end }}
{{- if $v.stores }}
{{- $stores := list }}
{{- range $v.stores }}
{{- $one := dict "name" .name "kind" .kind "readonly" (.readonly | default false) }}
{{- if eq .kind "s3" }}
{{- $folder := printf "/etc/recorder/stores/%s" .name }}
{{- $_ := merge $one (dict "endpoint" .endpoint "bucket" .bucket "region" (.region | default "")
  "access_key" (printf "file:%s/%s" $folder (.accessKeyKey | default "access-key"))
  "secret_key" (printf "file:%s/%s" $folder (.secretKeyKey | default "secret-key"))) }}
{{- with .caKey }}{{- $_ := set $one "ca_file" (printf "%s/%s" $folder .) }}{{- end }}
{{- else }}
{{- $_ := set $one "path" (printf "/srv/stores/%s" .name) }}
{{- end }}
{{- $stores = append $stores $one }}
{{- end }}
{{- $_ := set $own "stores" $stores }}
{{- end }}
{{- $hosts := concat (include "spanstore.hosts" . | fromYamlArray) (dig "api" "hosts" (list) $v.settings) }}
{{- $proxies := concat ($v.ingress.proxies | default list) (dig "api" "proxies" (list) $v.settings) }}
{{- $_ := set $own "api" (dict "listen" "0.0.0.0:8600" "hosts" $hosts "proxies" ($proxies | default list)
  "certificate" "/etc/recorder/tls/tls.crt" "key" "/etc/recorder/tls/tls.key") }}
{{- if $v.audit.secretName }}
{{- $_ := set $own "audit" (dict "key" "/etc/recorder/audit/audit.key") }}
{{- end }}
{{- if $v.secrets.secretName }}
{{- $_ := set $own "secrets" (dict "key" "file:/etc/recorder/secrets/secrets.key") }}
{{- end }}
{{- if $v.evidence.secretName }}
{{- $signs := dict }}
{{- $folder := "/etc/recorder/evidence" }}
{{- with $v.evidence }}
{{- if .certificateKey }}
{{- $_ := merge $signs (dict "certificate" (printf "%s/%s" $folder .certificateKey) "key" (printf "file:%s/%s" $folder .keyKey)) }}
{{- end }}
{{- if .onvifCertificateKey }}
{{- $_ := merge $signs (dict "onvif_certificate" (printf "%s/%s" $folder .onvifCertificateKey) "onvif_key" (printf "file:%s/%s" $folder .onvifKeyKey)) }}
{{- end }}
{{- if .timestampUrl }}
{{- $_ := merge $signs (dict "timestamp_url" .timestampUrl "timestamp_ca" (printf "%s/%s" $folder .timestampCaKey)) }}
{{- end }}
{{- end }}
{{- $_ := set $own "evidence" $signs }}
{{- end }}
{{- mergeOverwrite (deepCopy $v.settings) $own | toYaml }}
{{- end }}
