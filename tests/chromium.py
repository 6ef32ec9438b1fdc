"""Chromium for tests and campaigns: where it is, and how it is started so that it fetches nothing by itself."""

import shutil

__all__ = ["CHROMIUM", "HEADLESS", "QUIET"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
HEADLESS = ["--headless", *QUIET, "--no-first-run", "--disable-component-update"]
