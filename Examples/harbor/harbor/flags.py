"""Flags: asked with OpenFeature's OFREP provider as it is; what became of requests is told apart from answering them."""

import json
import os
import queue
import threading
import time
import urllib.request

# An answer that takes longer is the default in the code.
ASK_SECONDS = 0.5
TELL_SECONDS = 2.0
# How often what happened is told. A ramp's second is judged two seconds after its end.
PAUSE_SECONDS = 0.25
# Beyond it outcomes are dropped: telling never holds a request up.
WAITING = 10_000


class Nobody:
    """Without a server of flags: everything is as the code says."""

    def is_on(self, flag, customer):
        return False

    def tell(self, customer, failed, seconds):
        pass


class Flags:
    """`address` answers OFREP; `evidence` takes outcomes as lines of JSON, and may be empty. Needs openfeature-sdk and
    openfeature-provider-ofrep."""

    def __init__(self, address, evidence, asker=None):
        if asker is None:
            from openfeature import api
            from openfeature.contrib.provider.ofrep import OFREPProvider
            from openfeature.evaluation_context import EvaluationContext

            # Instances share an address; by this name the server tells who has heard of a change.
            name = {"Plimsoll-Client": "harbor-%d" % os.getpid()}
            api.set_provider(OFREPProvider(address, headers_factory=lambda: name, timeout=ASK_SECONDS))
            client = api.get_client()

            def asker(flag, customer):
                return client.get_boolean_value(flag, False, EvaluationContext(targeting_key=customer))

        self.asker = asker
        self.evidence = evidence
        self.outcomes = queue.Queue(WAITING)
        self.dropped = 0
        if evidence:
            threading.Thread(target=self.keep_telling, daemon=True).start()

    def is_on(self, flag, customer):
        """False when nobody can say: the provider answers with the default."""
        return bool(customer) and self.asker(flag, customer)

    def tell(self, customer, failed, seconds):
        """Notes what became of a customer's request."""
        if not self.evidence or not customer:
            return
        outcome = {
            "type": "outcome",
            "unit": customer,
            "failed": failed,
            "durationMs": round(seconds * 1000, 3),
            "service": "harbor",
            "at": time.time(),
        }
        try:
            self.outcomes.put_nowait(outcome)
        except queue.Full:
            self.dropped += 1

    def keep_telling(self):
        while True:
            time.sleep(PAUSE_SECONDS)
            self.tell_waiting()

    def tell_waiting(self):
        waiting = [self.outcomes.get_nowait() for _ in range(self.outcomes.qsize())]
        if not waiting:
            return
        body = "".join(json.dumps(outcome) + "\n" for outcome in waiting).encode()
        request = urllib.request.Request(self.evidence.rstrip("/") + "/v1/flags/events", body, method="POST")
        try:
            urllib.request.urlopen(request, timeout=TELL_SECONDS).close()
        except OSError:
            self.dropped += len(waiting)  # lost evidence costs a ramp time; asking again could hold up what is new


def connect(address, evidence):
    """Raises ValueError with a sentence for the operator."""
    if not address:
        return Nobody()
    try:
        return Flags(address, evidence)
    except ImportError as error:
        raise ValueError(
            "HARBOR_FLAGS is set, and %s: let HARBOR_PYTHON name a Python with openfeature-provider-ofrep" % error
        ) from None
