#!/bin/sh
# Prints the Python to build .venv with: the one named by $PYTHON, else 3.11 (vLLM on a processor was measured there),
# else any newer one. Each candidate is run: a version manager's shim may exist and still not work.
set -eu

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if usable "$PYTHON"; then
        echo "$PYTHON"
        exit 0
    fi
    echo "PYTHON=$PYTHON is not a working Python 3.11 or newer" >&2
    exit 1
fi

for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
    if usable "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done
exit 1
