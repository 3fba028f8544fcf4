{{/* The alerts: of the labels that select the operator's series. Marks of Prometheus' own templates stand in backquotes. */}}

{{- define "reflect-operator.alerts" -}}
- alert: ReflectOperatorHasNoLeader
  expr: absent(reflect_leader{ {{- . -}} } == 1)
  for: 5m
  severity: critical
  summary: No reflect-operator acts
  description: Runs neither advance nor restart. Look at its pods, and at what keeps them from the Lease.
- alert: ReflectOperatorWatchIsSilent
  expr: max by (kind) (reflect_watch_age_seconds{ {{- . -}} }) > 120
  for: 2m
  severity: warning
  summary: {{ `reflect-operator hears nothing of {{ $labels.kind }}` | quote }}
  description: {{ `Nothing for {{ $value | humanizeDuration }}. The API server is away, or the pod is about to be restarted by its probe.` | quote }}
- alert: ReflectOperatorIsForbidden
  expr: sum by (verb, kind) (increase(reflect_api_requests_total{ {{- . -}} ,code="403"}[10m])) > 0
  for: 10m
  severity: warning
  summary: {{ `reflect-operator may not {{ $labels.verb }} {{ $labels.kind }}` | quote }}
  description: Its role, a quota or an admission policy refuses it. The run's condition Ready has the API server's words.
- alert: ReflectOperatorFails
  expr: sum by (kind) (increase(reflect_reconcile_errors_total{ {{- . -}} }[15m])) > 5
  for: 15m
  severity: warning
  summary: {{ `reflect-operator fails again and again ({{ $labels.kind }})` | quote }}
  description: Looks at runs fail and are repeated. The operator's log has the errors.
- alert: ReflectOperatorFallsBehind
  expr: max(reflect_queue_depth{ {{- . -}} }) > 100
  for: 15m
  severity: warning
  summary: {{ `{{ $value }} runs wait for reflect-operator` | quote }}
  description: Changes of runs are seen late. More operator.workers help where the API server is not the limit.
- alert: ReflectStagesRestart
  expr: sum by (stage, reason) (increase(reflect_restarts_total{ {{- . -}} }[1h])) > 5
  for: 5m
  severity: warning
  summary: {{ `Stage {{ $labels.stage }} restarts again and again: {{ $labels.reason }}` | quote }}
  description: docs/reference/reasons.md says what to do about each reason; the attempts are in the status of the runs.
{{- end -}}
