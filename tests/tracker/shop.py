"""The shop of examples/shop and the pages of this folder, told where the collector is."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.tracker.loopback import LoopbackServer, QuietHandler

PROJECT = Path(__file__).parents[2]
FOLDERS = (PROJECT / "examples/shop", PROJECT / "tests/tracker/pages")
KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css"}


class Shop(LoopbackServer):
    """Serves the pages. `replaced`: text in them → what stands there instead."""

    def __init__(self, collector_url: str) -> None:
        self.replaced = {"http://127.0.0.1:8380": collector_url}
        shop = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                self.reply(*shop._page(urlsplit(self.path).path.lstrip("/")))

        super().__init__(Handler)

    def ask_for_consent(self, before: str) -> None:
        self.replaced['data-ls-consent="granted"'] = f'data-ls-consent="{before}"'

    def _page(self, name: str) -> tuple[int, str, bytes]:
        found = [folder / name for folder in FOLDERS if name and (folder / name).is_file()]
        if not found:
            return 404, "text/plain", b"no such page"
        text = found[0].read_text(encoding="utf-8")
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return 200, KINDS[found[0].suffix], text.encode()
