import dataclasses
import http.client
import json
import os
import tempfile
import threading
import unittest

from harbor import server


class ServerTests(unittest.TestCase):
    def setUp(self):
        self.server = server.Server(server.Settings.read(self.settings()))
        self.server.quiet_seconds = 0
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.stopped = False
        self.addCleanup(self.stop)
        self.client = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=5)
        self.addCleanup(self.client.close)

    def settings(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return {"HARBOR_KEY": "key", "PORT": "0", "PLIMSOLL_SCRATCH": folder.name, "HARBOR_NAME": "Tidemark"}

    def stop(self):
        if not self.stopped:
            self.stopped = True
            self.server.stop()
            self.thread.join()

    def ask(self, method, path, body=None):
        self.client.request(method, path, body)
        response = self.client.getresponse()
        return response.status, json.loads(response.read())

    def test_every_path_on_one_connection(self):
        expected = (
            ("GET", "/healthz", None, 200),
            ("GET", "/", None, 200),
            ("GET", "/version", None, 200),
            ("GET", "/berths?length=9&draft=1.5&day=2026-07-14", None, 200),
            ("GET", "/tides/2026-07-14", None, 200),
            ("GET", "/quote?length=9&nights=3", None, 200),
            ("GET", "/quote?length=99&nights=3", None, 400),
            ("GET", "/quote?length=9&nights=2.5", None, 400),
            ("GET", "/berths?length=nan&draft=1", None, 400),
            ("GET", "/tides/yesterday", None, 400),
            ("GET", "/bookings/NONE", None, 404),
            ("GET", "/nowhere", None, 404),
            ("POST", "/bookings", "{", 400),
        )
        self.client.connect()
        socket = self.client.sock
        for method, path, body, status in expected:
            self.assertEqual(self.ask(method, path, body)[0], status, path)
        self.assertIs(self.client.sock, socket, "the connection was kept")

    def test_a_booking_and_its_repetition(self):
        body = json.dumps(
            {"reference": "r", "boat": "Otter", "length": 9, "draft": 1, "arrival": "2026-07-14", "nights": 2}
        )
        status, booking = self.ask("POST", "/bookings", body)
        self.assertEqual(status, 201)
        self.assertEqual(self.ask("POST", "/bookings", body), (200, booking))
        self.assertEqual(self.ask("GET", "/bookings/" + booking["id"]), (200, booking))

    def test_configuration_shows(self):
        self.assertEqual(self.ask("GET", "/")[1]["harbor"], "Tidemark")

    def test_stopping_ends_kept_connections(self):
        self.assertEqual(self.ask("GET", "/healthz")[0], 200)
        self.stop()
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("GET", "/healthz")
            self.ask("GET", "/healthz")

    def test_every_answer_says_its_version(self):
        for digest, said in (("sha256:0123456789abcdef", "0123456789ab"), ("unknown", "none")):
            self.server.harbor.settings = dataclasses.replace(self.server.harbor.settings, digest=digest)
            for method, path in (("GET", "/"), ("GET", "/nowhere"), ("DELETE", "/")):
                self.client.request(method, path)
                response = self.client.getresponse()
                response.read()
                self.assertEqual(response.getheader("X-Harbor-Digest"), said, (method, path))

    def test_errors_by_chance_spare_readiness(self):
        for errors, status in ((0, 200), (server.MILLION, 500)):
            settings = dataclasses.replace(self.server.harbor.settings, errors_per_million=errors)
            self.server.harbor.settings = settings
            for path, expected in (("/", status), ("/quote?length=9&nights=3", status), ("/healthz", 200)):
                self.assertEqual(self.ask("GET", path)[0], expected, (errors, path))

    def test_bad_settings_are_refused(self):
        for environment in (
            {},
            {"HARBOR_KEY": "k", "PORT": "x"},
            {"HARBOR_KEY": "k", "HARBOR_DISCOUNT_PERCENT": "101"},
            {"HARBOR_KEY": "k", "HARBOR_ERRORS_PER_MILLION": "1000001"},
        ):
            with self.assertRaises(ValueError):
                server.Settings.read(environment)


if __name__ == "__main__":
    unittest.main()
