"""The folder of pages: one for each of the newest audits, and a list of them."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from pipelines.audit.pages import audit_page, index_page, summary
from pipelines.audit.results import AuditResult

KEPT = 50  # audits of each kind and verdict: a thousand good ones push no bad one out


class DataDocs:
    """Writes audits as pages under `root`: index.html, and audits/{time}-{kind}-{id}.html, each with its summary as JSON.

    Safe to repeat: the same audit is written to the same files. Safe for two writers: a file appears as a whole, and the
    list is made from what is there. Older pages are deleted beyond `kept` of each kind and verdict.
    """

    def __init__(self, root: Path, kept: int = KEPT) -> None:
        self._root, self._folder, self._kept = root, root / "audits", kept

    def write(self, result: AuditResult) -> Path:
        """Add a page. Returns where it is. Raises OSError where the folder cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        page = self._folder / f"{result.as_of:%Y%m%dT%H%M%S}-{result.kind}-{result.audit_id}.html"
        _replace(page, audit_page(result))
        _replace(page.with_suffix(".json"), json.dumps(summary(result)))
        _replace(self._root / "index.html", index_page(self._newest()))
        return page

    def _newest(self) -> list[dict[str, Any]]:
        """Read the summaries, newest first, and delete those beyond the bound with their pages."""
        by_group: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for path in sorted(self._folder.glob("[!.]*.json"), reverse=True):
            audit = json.loads(path.read_text(encoding="utf-8")) | {"page": f"audits/{path.stem}.html"}
            group = by_group[audit["kind"], audit["verdict"]]
            if len(group) < self._kept:
                group.append(audit)
            else:
                path.unlink(missing_ok=True)
                path.with_suffix(".html").unlink(missing_ok=True)
        kept = [audit for group in by_group.values() for audit in group]
        return sorted(kept, key=lambda audit: audit["page"], reverse=True)


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
