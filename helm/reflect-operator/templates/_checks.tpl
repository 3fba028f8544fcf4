{{/* What the schema of the values cannot say: how they go together. */}}

{{- define "reflect-operator.checks" -}}
{{- $election := .Values.operator.leaderElection -}}
{{- if and (not $election.enabled) (gt (int .Values.replicas) 1) -}}
{{- fail (printf "replicas: %d replicas would all act at once: set operator.leaderElection.enabled: true, or replicas: 1" (int .Values.replicas)) -}}
{{- end -}}
{{- $duration := float64 $election.durationSeconds -}}
{{- $deadline := float64 $election.renewDeadlineSeconds -}}
{{- $retry := float64 $election.retrySeconds -}}
{{- if not (and (gt $duration $deadline) (gt $deadline (mulf 2 $retry))) -}}
{{- fail (printf "operator.leaderElection: durationSeconds (%v) must be more than renewDeadlineSeconds (%v), and that more than twice retrySeconds (%v)" $duration $deadline $retry) -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled: there is no Service to scrape: set metrics.service.enabled: true, too" -}}
{{- end -}}
{{- if and .Values.metrics.prometheusRule.enabled (not .Values.metrics.serviceMonitor.enabled) -}}
{{- fail "metrics.prometheusRule.enabled: its alerts select the series of the ServiceMonitor: set metrics.serviceMonitor.enabled: true, too" -}}
{{- end -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (eq (kindIs "invalid" $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget: set one of minAvailable and maxUnavailable, and the other to null" -}}
{{- end -}}
{{- end -}}
