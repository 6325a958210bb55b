"""A small web site with bad habits, run on lab hosts: `python3 website.py PORT [CERTIFICATE KEY]`.

Written for the host's Python and its standard library alone. `/health` is as it should be; the rest is not.
"""

import http.server
import json
import ssl
import sys
import time

HEALTH = {"status": "healthy", "database": {"connected": True}, "jobs": 3}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        """Answer a request."""
        page = getattr(self, "page_" + self.path.strip("/"), None)
        if page is None:
            self.reply(404, "text/plain", b"no such page\n")
        else:
            page()

    def reply(self, status, kind, body, **headers):
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def page_health(self):
        self.reply(200, "application/json", json.dumps(HEALTH).encode(), **{"X-Served-By": "lab"})

    def page_sick(self):
        self.reply(503, "application/json", b'{"status": "sick"}')

    def page_html(self):
        self.reply(200, "text/html", b"<html><body>Please log in</body></html>")

    def page_moved(self):
        self.reply(302, "text/plain", b"", Location="/health")

    def page_token(self):
        self.reply(200, "text/plain", ("you sent %s" % self.headers.get("Authorization")).encode())

    def page_drip(self):
        """Say something now and then, for ever."""
        self.reply(200, "text/plain", b"")
        while True:
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(0.1)

    def page_endless(self):
        """Say more than anybody wants to hear."""
        self.reply(200, "text/plain", b"")
        while True:
            self.wfile.write(b"x" * 65536)

    def log_message(self, text, *args):
        sys.stdout.write("request: %s\n" % (text % args))
        sys.stdout.flush()


def main(port, certificate=None, key=None):
    server = http.server.ThreadingHTTPServer(("", int(port)), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
