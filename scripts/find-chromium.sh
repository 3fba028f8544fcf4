#!/bin/sh
# Prints the Chromium that shows the report in tests and screenshots. Each candidate is run: a stand-in that only says how to
# install it may exist.
set -eu

for candidate in chromium chromium-browser google-chrome google-chrome-stable chromium-headless-shell; do
    if command -v "$candidate" >/dev/null && "$candidate" --version >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
exit 1
