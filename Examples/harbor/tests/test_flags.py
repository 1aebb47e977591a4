import http.server
import json
import threading
import unittest

from harbor import flags, quick, server, tariff


class FlagsTests(unittest.TestCase):
    def harbor(self, asker):
        harbor = server.Harbor(server.Settings(key="key", database=":memory:"))
        harbor.flags = flags.Flags("", "", asker)
        self.addCleanup(harbor.book.close)
        return harbor

    def test_the_table_says_what_the_tariff_says(self):
        for nights in (1, 7, quick.TABLE_NIGHTS):
            self.assertEqual(quick.quote(9.0, nights, 5), tariff.quote(9.0, nights, 5))

    def test_the_flag_is_asked_for_the_customer(self):
        asked = []
        harbor = self.harbor(lambda flag, customer: asked.append((flag, customer)) or customer == "c-1")
        quotes = [harbor.answer("GET", "/quote?length=9&nights=3&customer=c-%d" % n, b"") for n in (1, 2)]
        self.assertEqual(asked, [("quick-quote", "c-1"), ("quick-quote", "c-2")])
        self.assertEqual(quotes[0], quotes[1])

    def test_nobody_is_asked_without_a_customer(self):
        harbor = self.harbor(lambda flag, customer: self.fail("asked"))
        self.assertEqual(harbor.answer("GET", "/quote?length=9&nights=3", b"")[0], 200)

    def test_outcomes_are_told_as_lines(self):
        told = []

        class Taker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format, *arguments):
                pass

        taker = http.server.HTTPServer(("127.0.0.1", 0), Taker)
        self.addCleanup(taker.server_close)
        asked = threading.Thread(target=taker.handle_request)
        asked.start()
        teller = flags.Flags("", "", lambda flag, customer: False)
        teller.evidence = "http://127.0.0.1:%d" % taker.server_port
        teller.tell("c-1", True, 0.5)
        teller.tell("", True, 0.5)
        teller.tell_waiting()
        asked.join()
        (path, body), = told
        line = json.loads(body)
        self.assertEqual(path, "/v1/flags/events")
        self.assertEqual((line["unit"], line["failed"], line["durationMs"]), ("c-1", True, 500))

    def test_a_doorway_that_is_closed_costs_evidence_and_nothing_else(self):
        teller = flags.Flags("", "", lambda flag, customer: False)
        teller.evidence = "http://127.0.0.1:1"
        teller.tell("c-1", False, 0.5)
        teller.tell_waiting()
        self.assertEqual(teller.dropped, 1)


if __name__ == "__main__":
    unittest.main()
