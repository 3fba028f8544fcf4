"""Prints one reference page: Markdown, or the OpenAPI file."""

from __future__ import annotations

import argparse
import sys

from . import reasons, resource, verifier_service

PAGES = {"resource": resource.page, "reasons": reasons.page, "verifier-service": verifier_service.page}


def main() -> None:
    """Parse the command line and print the page."""
    parser = argparse.ArgumentParser(prog="reflection_api.reference", description="Print a reference page.")
    parser.add_argument("page", choices=PAGES, help="which page to print")
    sys.stdout.write(PAGES[parser.parse_args().page]())


if __name__ == "__main__":
    main()
