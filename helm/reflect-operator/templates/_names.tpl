{{/* Names, labels and images. */}}

{{- define "reflect-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{/* 40 characters at most, so that what is put behind it fits into a label. */}}
{{- define "reflect-operator.fullname" -}}
{{- $name := include "reflect-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "reflect-operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "reflect-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: name the account to use, or set serviceAccount.create: true" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What a Deployment selects by, and can never change. */}}
{{- define "reflect-operator.selector" -}}
app.kubernetes.io/name: {{ include "reflect-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "reflect-operator.labels" -}}
{{ include "reflect-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The whole name of an image: of a list of the root and one of the values' images. */}}
{{- define "reflect-operator.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $root.Values.imageRegistry }}{{ . }}/{{ end -}}
{{ $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ default $root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* The Service that pods report their progress to, and its address. */}}
{{- define "reflect-operator.progressName" -}}
{{ include "reflect-operator.fullname" . }}-progress
{{- end -}}

{{- define "reflect-operator.progressUrl" -}}
https://{{ include "reflect-operator.progressName" . }}.{{ .Release.Namespace }}.svc:{{ .Values.progress.port }}
{{- end -}}
