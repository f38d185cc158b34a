"""Who answers of those that answered before."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from pipelines.monitoring.services import Services


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_args): ...


def test_a_service_is_missed_only_once_it_has_answered():
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever)
    services = Services({"collect_events": ("0.0.0.0", server.server_port), "serve_lists": ("127.0.0.1", 1)})
    thread.start()
    try:
        assert services.look() == {"collect_events": True}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert services.look() == {"collect_events": False}
    assert Services(services.addresses).look() == {}
