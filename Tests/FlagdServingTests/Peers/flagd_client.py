"""A stock flagd provider, and flagd's bare protocol, driven by lines of JSON: one order a line, one answer a line.

Orders: open, ask, asks, events, close (the provider); call (one bare call), lag, drain (a stream that is not read).
"""

import json
import queue
import sys
import threading

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.schemas.protobuf.flagd.evaluation.v1 import evaluation_pb2 as v1
from openfeature.schemas.protobuf.flagd.evaluation.v1 import evaluation_pb2_grpc as v1_grpc
from openfeature.schemas.protobuf.flagd.evaluation.v2 import evaluation_pb2 as v2
from openfeature.schemas.protobuf.flagd.evaluation.v2 import evaluation_pb2_grpc as v2_grpc
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2 as sync
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2_grpc as sync_grpc

SERVICES = {
    "v1": (v1, v1_grpc.ServiceStub),
    "v2": (v2, v2_grpc.ServiceStub),
    "sync": (sync, sync_grpc.FlagSyncServiceStub),
}


class Peer:
    def __init__(self):
        self.events = []
        self.client = None
        self.lagging = None

    def open(self, order):
        handlers = {
            "ready": ProviderEvent.PROVIDER_READY,
            "changed": ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
            "stale": ProviderEvent.PROVIDER_STALE,
            "error": ProviderEvent.PROVIDER_ERROR,
        }
        for name, event in handlers.items():
            api.add_handler(event, lambda details, name=name: self.note(name, details))
        provider = FlagdProvider(
            host="127.0.0.1",
            port=order["port"],
            resolver_type=ResolverType(order["resolver"]),
            deadline_ms=order.get("deadline", 20_000),
            retry_backoff_ms=100,
            retry_backoff_max_ms=200,
            retry_grace_period=60,
            selector=order.get("selector"),
            provider_id=order.get("provider"),
        )
        api.set_provider_and_wait(provider)
        self.client = api.get_client()
        return {"ready": True}

    def note(self, name, details):
        self.events.append({"event": name, "flags": sorted(details.flags_changed or [])})

    def ask(self, order):
        return self.details(order["type"], order["key"], order["default"], order.get("context"))

    def asks(self, order):
        """One flag for many subjects."""
        variants = []
        for subject in order["subjects"]:
            context = {**order.get("context", {}), "targetingKey": subject}
            variants.append(self.details(order["type"], order["key"], order["default"], context)["variant"])
        return {"variants": variants}

    def details(self, kind, key, default, attributes):
        attributes = dict(attributes or {})
        subject = attributes.pop("targetingKey", None)
        context = EvaluationContext(subject, attributes)
        details = getattr(self.client, f"get_{kind}_details")(key, default, context)
        code = details.error_code
        return {
            "value": details.value,
            "variant": details.variant,
            "reason": str(getattr(details.reason, "value", details.reason)),
            "error": getattr(code, "value", code),
        }

    def noted(self, order):
        return {"events": list(self.events)}

    def close(self, order):
        api.shutdown()
        return {"closed": True}

    def call(self, order):
        messages, stub = SERVICES[order["service"]]
        request = ParseDict(order.get("request", {}), getattr(messages, order["method"] + "Request")())
        with grpc.insecure_channel(f"127.0.0.1:{order['port']}") as channel:
            try:
                answer = getattr(stub(channel), order["method"])(
                    request, timeout=30, metadata=tuple(order.get("metadata", {}).items())
                )
                return {"code": "OK", "answer": MessageToDict(answer)}
            except grpc.RpcError as error:
                return {"code": error.code().name, "details": error.details()}

    def lag(self, order):
        """Opens a sync stream and reads only its first message."""
        options = [("grpc.http2.bdp_probe", 0)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{order['port']}", options)
        self.lagging = sync_grpc.FlagSyncServiceStub(self.channel).SyncFlags(
            sync.SyncFlagsRequest(provider_id="laggard"), wait_for_ready=True
        )
        return {"first": next(self.lagging).flag_configuration[-60:]}

    def drain(self, order):
        """Reads the stream until a text comes or it ends; tells of the messages on the way."""
        seen = 0
        try:
            for message in self.lagging:
                seen += 1
                if order["until"] in message.flag_configuration:
                    self.lagging.cancel()
                    return {"messages": seen, "code": "OK"}
        except grpc.RpcError as error:
            return {"messages": seen, "code": error.code().name}
        return {"messages": seen, "code": "END"}


def main():
    peer = Peer()
    orders = queue.Queue()

    def read():
        for line in sys.stdin:
            orders.put(json.loads(line))
        orders.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (order := orders.get()) is not None:
        try:
            method = {"events": "noted"}.get(order["do"], order["do"])
            answer = getattr(peer, method)(order)
        except Exception as error:  # told to the test, which knows what to make of it
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
