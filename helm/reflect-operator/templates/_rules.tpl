{{/* The operator's permissions, generated from what it does: `make docs`. */}}

{{- define "reflect-operator.rules.lease" -}}
- apiGroups:
  - coordination.k8s.io
  resources:
  - leases
  verbs:
  - get
  - create
  - update
{{- end -}}

{{- define "reflect-operator.rules.authority" -}}
- apiGroups: &id001
  - ''
  resources: &id002
  - secrets
  verbs:
  - create
- apiGroups: *id001
  resources: *id002
  resourceNames:
  - reflect-operator-progress
  verbs:
  - get
  - update
{{- end -}}

{{- define "reflect-operator.rules.tokens" -}}
- apiGroups:
  - authentication.k8s.io
  resources:
  - tokenreviews
  verbs:
  - create
{{- end -}}

{{- define "reflect-operator.rules.runs" -}}
- apiGroups:
  - reflection.training
  resources:
  - reflectiontrainings
  verbs:
  - get
  - list
  - watch
  - patch
  - delete
- apiGroups:
  - reflection.training
  resources:
  - reflectiontrainings/status
  verbs:
  - update
- apiGroups:
  - reflection.training
  resources:
  - reflectiontrainings/finalizers
  verbs:
  - update
- apiGroups:
  - batch
  resources:
  - jobs
  verbs:
  - get
  - list
  - watch
  - create
  - patch
  - delete
- apiGroups:
  - ''
  resources:
  - pods
  verbs:
  - list
  - watch
- apiGroups:
  - ''
  resources:
  - configmaps
  verbs:
  - get
  - create
  - delete
- apiGroups:
  - ''
  resources:
  - services
  verbs:
  - get
  - create
- apiGroups:
  - ''
  resources:
  - events
  verbs:
  - list
  - create
{{- end -}}
