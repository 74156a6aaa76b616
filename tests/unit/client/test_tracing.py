"""The SDK and the user's OpenTelemetry: nothing where it isn't in use, and a span around a call where it is."""

from __future__ import annotations

import subprocess
import sys
import textwrap

START = """
import sys
from codesieve.client import Client, Retry, Unavailable

def call():
    with Client("127.0.0.1:1", retry=Retry(give_up_after_seconds=0)) as client:
        try:
            client.models.list()
        except Unavailable:
            return
        raise AssertionError("somebody listens there")
"""


def run(script: str) -> str:
    code = START + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_opentelemetry_is_not_loaded_for_a_call() -> None:
    assert run("call(); print('opentelemetry' in sys.modules)") == "False"


TRACED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from codesieve.client.tracing import outgoing

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""


def test_where_no_span_is_current_none_is_made() -> None:
    assert run(TRACED + "call(); print(outgoing(), len(exporter.get_finished_spans()))") == "() 0"


def test_a_call_has_a_span_below_the_current_one_with_its_code() -> None:
    script = """
with provider.get_tracer("user").start_as_current_span("step") as step:
    told = dict(outgoing())["traceparent"]
    call()
(made,) = [one for one in exporter.get_finished_spans() if one.name != "step"]
assert made.parent == step.get_span_context()
assert told.split("-")[2] == f"{step.get_span_context().span_id:016x}"
assert not made.events  # an exception's text may say anything
print(made.name, made.kind.name, made.status.status_code.name, made.attributes["rpc.response.status_code"])
"""
    assert run(TRACED + script) == "codesieve.v1.ModelService/ListModels CLIENT ERROR UNAVAILABLE"


def test_the_clients_baggage_and_other_forms_stay_at_home() -> None:
    script = """
from opentelemetry import baggage, context
context.attach(baggage.set_baggage("password", "hidden"))
with provider.get_tracer("user").start_as_current_span("step"):
    print(*dict(outgoing()))
"""
    assert run(TRACED + script) == "traceparent"
