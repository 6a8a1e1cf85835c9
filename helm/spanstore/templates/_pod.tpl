{{/* One kind of pods: a StatefulSet, for names that stay. Takes root and kind. */}}
{{- define "spanstore.workload" -}}
{{- $ := .root }}
{{- $v := $.Values }}
{{- $name := include "spanstore.name" $ }}
{{- $part := index $v .kind }}
{{- $roles := dict "recorder" (list "capture" "ship" "api") "api" (list "api") "janitor" (list "janitor" "api") }}
{{- if eq $v.catalog.kind "sqlite" }}{{- $_ := set $roles "recorder" (list "capture" "ship" "api" "janitor") }}{{- end }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $name }}-{{ .kind }}
  labels:
    {{- include "spanstore.labels" $ | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  serviceName: {{ $name }}-nodes
  replicas: {{ int $part.replicas }}
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "spanstore.selector" $ | nindent 6 }}
      app.kubernetes.io/component: {{ .kind }}
  template:
    metadata:
      labels:
        {{- include "spanstore.labels" $ | nindent 8 }}
        app.kubernetes.io/component: {{ .kind }}
      annotations:
        checksum/settings: {{ include "spanstore.settings" $ | sha256sum }}
        {{- with $v.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: false
      enableServiceLinks: false     # a Service named recorder would set RECORDER_…
      terminationGracePeriodSeconds: 90   # the last segments are sealed and shipped
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ int $v.user }}
        runAsGroup: {{ int $v.user }}
        fsGroup: {{ int $v.user }}
        fsGroupChangePolicy: OnRootMismatch   # Always would let the group read the node's key, which is refused
        seccompProfile: {type: RuntimeDefault}
      {{- with $v.imagePullSecrets }}
      imagePullSecrets: {{ toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: {{ $v.spread.topologyKey }}
          whenUnsatisfiable: {{ $v.spread.whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- include "spanstore.selector" $ | nindent 14 }}
              app.kubernetes.io/component: {{ .kind }}
      {{- with $v.nodeSelector }}
      nodeSelector: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.tolerations }}
      tolerations: {{ toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: recorder
          image: "{{ $v.image.repository }}:{{ $v.image.tag | default $.Chart.AppVersion }}"
          imagePullPolicy: {{ $v.image.pullPolicy }}
          args: [serve, --roles, "{{ join "," (index $roles .kind) }}"]
          env:
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: RECORDER_NODE, value: $(POD_NAME)}
            - {name: RECORDER_NODE_URL, value: "https://$(POD_NAME).{{ $name }}-nodes.{{ $.Release.Namespace }}.svc:8600"}
            - {name: RECORDER_CONFIG, value: /etc/recorder/recorder.yaml}
            - {name: SSL_CERT_FILE, value: /etc/recorder/tls/ca.crt}   # beside the public authorities
          ports:
            - {name: https, containerPort: 8600}
          # /readyz is 200 while a store is away, 503 without the catalog; both ask nobody who he is
          startupProbe:
            httpGet: {path: /healthz, port: https, scheme: HTTPS}
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /healthz, port: https, scheme: HTTPS}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: https, scheme: HTTPS}
            periodSeconds: 10
            timeoutSeconds: 10
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources: {{ toYaml $part.resources | nindent 12 }}
          volumeMounts:
            - {name: data, mountPath: /var/lib/recorder}
            - {name: tmp, mountPath: /tmp}
            - {name: settings, mountPath: /etc/recorder/recorder.yaml, subPath: recorder.yaml, readOnly: true}
            - {name: tls, mountPath: /etc/recorder/tls, readOnly: true}
            {{- if eq $v.catalog.kind "postgresql" }}
            - {name: catalog, mountPath: /etc/recorder/catalog, readOnly: true}
            {{- end }}
            {{- if $v.audit.secretName }}
            - {name: audit, mountPath: /etc/recorder/audit, readOnly: true}
            {{- end }}
            {{- if $v.secrets.secretName }}
            - {name: secrets, mountPath: /etc/recorder/secrets, readOnly: true}
            {{- end }}
            {{- if $v.evidence.secretName }}
            - {name: evidence, mountPath: /etc/recorder/evidence, readOnly: true}
            {{- end }}
            {{- if and $v.parent.url $v.parent.secretName }}
            - {name: parent, mountPath: /etc/recorder/parent, readOnly: true}
            {{- end }}
            {{- range $v.stores }}
            - {name: store-{{ .name }}, mountPath: {{ if eq .kind "s3" }}/etc/recorder/stores/{{ .name }}, readOnly: true{{ else }}/srv/stores/{{ .name }}{{ end }}}
            {{- end }}
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
        - {name: settings, configMap: {name: {{ $name }}-settings}}
        - {name: tls, secret: {secretName: {{ include "spanstore.tlsSecret" $ }}, defaultMode: 0440}}
        {{- if eq $v.catalog.kind "postgresql" }}
        - {name: catalog, secret: {secretName: {{ $v.catalog.secretName }}, defaultMode: 0440}}
        {{- end }}
        {{- with $v.audit.secretName }}
        - {name: audit, secret: {secretName: {{ . }}, defaultMode: 0440}}
        {{- end }}
        {{- with $v.secrets.secretName }}
        - {name: secrets, secret: {secretName: {{ . }}, defaultMode: 0440}}
        {{- end }}
        {{- with $v.evidence.secretName }}
        - {name: evidence, secret: {secretName: {{ . }}, defaultMode: 0440}}
        {{- end }}
        {{- if and $v.parent.url $v.parent.secretName }}
        - {name: parent, secret: {secretName: {{ $v.parent.secretName }}, defaultMode: 0440}}
        {{- end }}
        {{- range $v.stores }}
        {{- if eq .kind "s3" }}
        - {name: store-{{ .name }}, secret: {secretName: {{ .secretName }}, defaultMode: 0440}}
        {{- else }}
        - {name: store-{{ .name }}, persistentVolumeClaim: {claimName: {{ .claim }}}}
        {{- end }}
        {{- end }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: {{ toYaml $part.volume.accessModes | nindent 10 }}
        {{- with $part.volume.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $part.volume.size }}}}
{{- end }}
