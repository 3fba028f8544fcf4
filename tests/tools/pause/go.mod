// What keeps a pod's namespaces, in nodes of tests. tests/support/go_tools.py builds it.
module reflect-operator.test/pause

go 1.26.0
