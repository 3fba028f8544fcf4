#!/bin/sh
# Installs the few system packages that are missing, where this user can; else says which ones and stops.
# Silent and instant when nothing is missing. With the word `tests` it looks for what only some tests need, too: it is
# installed where it can be, and without it those tests are left out. No service of a package is started.
set -eu
cd "$(dirname "$0")/.."

tests=${1:-}
missing=""
need() {
    missing="$missing $1"
}

can_install() {
    command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]
}
lacks_browser() {
    [ "$tests" = tests ] && ! sh scripts/find-chromium.sh >/dev/null
}
note_browser() {
    if lacks_browser; then
        echo "no working Chromium: tests of the report's page are left out. $1" >&2
    fi
}

if [ "$tests" = tests ]; then
    # The servers that tests run against are built from pinned Go modules (tests/tools); Debian's Go is too old for them.
    found=$(go env GOVERSION 2>/dev/null || echo none)
    case $found in
    go1.2[6-9]* | go1.[3-9][0-9]* | go1.[1-9][0-9][0-9]* | go[2-9]*) ;;
    *)
        echo "no Go 1.26 or newer on PATH (found: $found, https://go.dev/dl): tests with a real S3 or API server are left out" >&2
        ;;
    esac
fi
# The report is looked at in a real browser.
if lacks_browser && can_install; then
    need chromium
fi
# Tests on a cluster run containers, as root alone can.
nodes=""
lacks_for_nodes() {
    nodes="$nodes $1"
}
if [ "$tests" = tests ]; then
    command -v containerd >/dev/null || lacks_for_nodes containerd
    command -v runc >/dev/null || lacks_for_nodes runc
    [ -d "${CNI_PATH:-/usr/lib/cni}" ] || lacks_for_nodes containernetworking-plugins
    command -v iptables >/dev/null || lacks_for_nodes iptables
    command -v ip >/dev/null || lacks_for_nodes iproute2
fi
if [ -n "$nodes" ] && can_install; then
    need "${nodes# }"
elif [ -n "$nodes" ]; then
    echo "tests on a cluster with nodes are left out: they need root, and here also$nodes (Debian's names)" >&2
fi

if python=$(sh scripts/find-python.sh); then
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    # Debian splits ensurepip off from Python; without it `python -m venv` fails half-way.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need "$version-venv"
    # vLLM's processor kernels link against libnuma; everything else is in the wheels.
    "$python" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null || need libnuma1
elif [ -n "${PYTHON:-}" ]; then
    exit 1
else
    need python3
    need python3-venv
    need libnuma1
fi
if [ -z "$missing" ]; then
    note_browser "Install it or Google Chrome (Debian: apt-get install chromium)."
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "missing:$missing (Debian's names). Install them with this system's package manager, then run make again." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "missing system packages. Run this once, then make again:" >&2
    echo "  sudo apt-get install$missing" >&2
    exit 1
fi
echo "system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# What is installed is for tests to start: as a service it would run on this machine for good.
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
if ! sh scripts/find-python.sh >/dev/null; then
    echo "this system's python3 is older than 3.11: install Python 3.11 or newer and name it, make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
note_browser "This system's package chromium brings none: install Google Chrome."
