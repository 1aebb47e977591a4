"""Evaluates flags with openfeature-flagd-core: one line of JSON in, one line out.

In:  {"definitions": {...}, "key": "...", "type": null | "boolean" | ..., "now": seconds, "contexts": [{...}, ...]}
Out: [[reason, variant, error code, value], ...], one entry for each context.

An exception that is no OpenFeature error reaches a client as GENERAL; so it does here.
"""

import io
import json
import logging
import os
import sys

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting import targeting as rules
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

logging.disable(logging.CRITICAL)
answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
sys.stdout = io.StringIO()  # the operation `log` prints
targeting = sys.modules[rules.__module__]
NOTHING = object()


def answer(core, key, kind, context):
    context = dict(context)
    subject = context.pop("targetingKey", None)
    try:
        details = core._resolve(key, NOTHING, EvaluationContext(subject, context), kind)
    except OpenFeatureError as error:
        return ["ERROR", None, error.error_code.value, None]
    except Exception:
        return ["ERROR", None, "GENERAL", None]
    value = None if details.value is NOTHING else details.value
    return [str(details.reason.value), details.variant, None, value]


def in_place(value, shared):
    """The value with each {"$ref": name} replaced by that rule."""
    if isinstance(value, list):
        return [in_place(item, shared) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == ["$ref"] and isinstance(value["$ref"], str) and value["$ref"] in shared:
        return shared[value["$ref"]]
    return {name: in_place(item, shared) for name, item in value.items()}


def core_of(definitions):
    # Where a shared rule has a backslash in its JSON, the core takes it for one of its search pattern.
    if "\\" in json.dumps(definitions.get("$evaluators")):
        definitions["flags"] = in_place(definitions["flags"], definitions.pop("$evaluators"))
    core = FlagdCore()
    core.set_flags(definitions)
    return core


for line in sys.stdin:
    case = json.loads(line)
    targeting.time.time = lambda: case["now"]
    core = core_of(case["definitions"])
    found = [answer(core, case["key"], case["type"], context) for context in case["contexts"]]
    answers.write(json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n")
    answers.flush()
    sys.stdout.seek(0)
    sys.stdout.truncate()
