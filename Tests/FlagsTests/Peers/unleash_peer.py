"""Answers cases of the Unleash differential with yggdrasil-engine.

Reads one case a line: {"messages": [...], "features": [...], "contexts": [...]}. The messages are given to a fresh
engine in turn; then every feature is asked for every context. Writes one line a case: a list for each message of
whether it was taken over, and a list of answers, contexts outside, features inside:
[enabled, variant, payload type, payload value, variant enabled, feature enabled], or null for an unknown feature.

A variant's answer tells whether the feature is on, too. The question for that alone is asked for the first contexts
only: it is the same function behind the same words, and a million cases take half the time.
"""

import ctypes
import json
import sys

from yggdrasil_engine.engine import UnleashEngine

ASKED_TWICE = 2


def main():
    lib = UnleashEngine().lib

    def call(pointer):
        text = ctypes.cast(pointer, ctypes.c_char_p).value
        lib.free_response(pointer)
        return json.loads(text)

    for line in sys.stdin:
        case = json.loads(line)
        engine = lib.new_engine()
        taken = []
        for message in case["messages"]:
            answer = call(lib.take_state(engine, json.dumps(message).encode()))
            error = answer.get("error_message") or ""
            taken.append(answer["status_code"] == "Ok" or error.startswith("Engine state was updated"))
        answers = []
        names = [name.encode() for name in case["features"]]
        for index, context in enumerate(case["contexts"]):
            text = json.dumps(context).encode()
            for name in names:
                variant = call(lib.check_variant(engine, name, text, b"{}"))
                if variant["status_code"] == "NotFound":
                    answers.append(None)
                    continue
                if variant["status_code"] != "Ok":
                    answers.append("error: %s" % variant.get("error_message"))
                    continue
                shown = variant["value"]
                enabled = shown["featureEnabled"]
                if index < ASKED_TWICE:
                    enabled = call(lib.check_enabled(engine, name, text, b"{}"))["value"]
                payload = shown.get("payload") or {}
                answers.append([
                    enabled, shown["name"], payload.get("type"), payload.get("value"), shown["enabled"],
                    shown["featureEnabled"],
                ])
        lib.free_engine(engine)
        sys.stdout.write(json.dumps([taken, answers]) + "\n")
    sys.stdout.flush()


main()
