"""A headless browser for tests of pages; skips where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
_WATCH = """<script>
window.faults = [];
addEventListener("error", (event) => window.faults.push(event.message || "a part could not be loaded"), true);
document.addEventListener("securitypolicyviolation", (event) => window.faults.push(event.violatedDirective));
</script>"""


def loaded(path: Path) -> str:
    """The page after its scripts ran, as HTML."""
    words = [CHROMIUM, "--no-sandbox", "--disable-gpu", "--headless", "--virtual-time-budget=8000", "--dump-dom"]
    return subprocess.run([*words, path.as_uri()], capture_output=True, text=True, timeout=120, check=False).stdout


def told(page: Path, script: str) -> str:
    """What ``script`` writes into ``document.title`` after the page has run, with the page's faults behind it.

    The page's own policy would forbid the script: it is taken out, but for what may be loaded.
    """
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"; script-src [^\"]*", "; script-src 'unsafe-inline'", text)
    text = text.replace("<head>", f"<head>{_WATCH}", 1).replace("</body>", f"<script>{script}</script></body>")
    pressed = page.with_name(f"pressed-{page.name}")
    pressed.write_text(text, encoding="utf-8")
    found = re.search("<title>(.*?)</title>", loaded(pressed), re.DOTALL)
    return found[1] if found else ""
