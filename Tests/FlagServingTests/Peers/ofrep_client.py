"""Asks a server with the stock OpenFeature client for OFREP; prints what the application would see, a line each."""
import json, sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

headers = {"Authorization": "Bearer " + sys.argv[2]} if len(sys.argv) > 2 else {}
api.set_provider(OFREPProvider(sys.argv[1], headers_factory=lambda: headers))
client = api.get_client()


def told(name, details):
    error = details.error_code.value if details.error_code else ""
    print(" ".join([name, details.flag_key, json.dumps(details.value), str(details.variant),
                    getattr(details.reason, "value", str(details.reason)), error]).rstrip(), flush=True)


nordic = EvaluationContext("user-1", {"country": "SE", "age": 41, "tags": ["a"]})
told("boolean", client.get_boolean_details("berth", False))
told("boolean", client.get_boolean_details("nordic", False, nordic))
told("boolean", client.get_boolean_details("nordic", True, EvaluationContext("user-2")))
told("float", client.get_float_details("half", 9.5))
told("integer", client.get_integer_details("count", 9))
told("string", client.get_string_details("words", "default"))
told("object", client.get_object_details("shape", {}))
told("boolean", client.get_boolean_details("asleep", True))
told("boolean", client.get_boolean_details("yours", True))
told("boolean", client.get_boolean_details("bert", True))
told("boolean", client.get_boolean_details("broken", True))
told("boolean", client.get_boolean_details("nowhere", True))
told("integer", client.get_integer_details("words", 9))
