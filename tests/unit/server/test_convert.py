"""What clients send, wrong in every way: each field at fault is named, and nothing is made."""

from __future__ import annotations

import base64
import dataclasses
import datetime
from typing import Any

import pytest
from google.protobuf import json_format

from codesieve.client import convert
from codesieve.server.convert import answers, requests
from codesieve.server.errors import InvalidRequest, PreconditionFailed
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.jobs.model import (
    Job,
    JobEvent,
    JobKey,
    JobSpec,
    JobState,
    Progress,
    SampleGenerated,
    planned_requests,
    request_digest,
    temperatures,
)
from codesieve.server.jobs.sql.codec import decode, encode
from codesieve.server.models import ModelRegistry
from codesieve.server.sharing import Priority
from codesieve.v1 import job_pb2, judge_pb2, types_pb2
from codesieve.workers.types import (
    CODEX_STOP,
    AssertionTests,
    Comparison,
    Framework,
    FunctionTests,
    Limits,
    PromptForm,
    Sample,
    ScriptTests,
    StdioCase,
    StdioTests,
)

PROBLEM = {"problemId": "p/0", "prompt": "", "entryPoint": "f", "checkFunction": "Y2hlY2s="}
NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
FOURTH = "job.problems.inline.problems[3]"


class OneModel(ModelRegistry):
    """A registry that has a model `m`."""

    def __init__(self) -> None:
        super().__init__(lambda name, source: pytest.fail("no pool is made here"))

    def default(self) -> str:
        return "m"

    def pool(self, model: str) -> Any:
        if model != "m":
            raise PreconditionFailed(f"no {model}", reason="MODEL_NOT_LOADED")


def a_job(**changes: Any) -> job_pb2.CreateJobRequest:
    job: dict[str, Any] = {
        "problems": {"inline": {"problems": [PROBLEM]}},
        "generation": {"temperatures": [0.2], "samplesPerProblem": 2},
    }
    if "recorded" in changes:
        del job["generation"]
    job.update(changes)
    return json_format.ParseDict({"job": job}, job_pb2.CreateJobRequest())


def fields(request: job_pb2.CreateJobRequest) -> list[str]:
    with pytest.raises(InvalidRequest) as refused:
        requests.create_job(request, OneModel())
    return [violation.field for violation in refused.value.violations]


def test_defaults_are_codexs() -> None:
    job_id, spec, contents = requests.create_job(a_job(), OneModel())
    assert job_id.startswith("job-")
    assert spec.generation is not None
    assert (spec.generation.model, spec.generation.top_p, spec.generation.max_tokens) == ("m", 0.95, 512)
    assert {request.stop for _, request in planned_requests(job_id, spec, contents)} == {CODEX_STOP}
    assert spec.limits == Limits()
    assert spec.ks == (1,)


def test_how_samples_are_drawn_reaches_every_request() -> None:
    chosen = generation(topP=0.5, topK=40, minP=0.05, maxTokens=9, stop=["x"], seed=3, tokenLogprobs=True)
    chosen |= {"promptForm": "PROMPT_FORM_CHAT", "weightsVersion": "step-3", "adapter": "a/b:1"}
    job_id, spec, contents = requests.create_job(a_job(generation=chosen), OneModel())
    assert spec.generation is not None
    made = [request for _, request in planned_requests(job_id, spec, contents)]
    assert len({request.seed for request in made}) == len(made) == 2
    for name in (
        "top_p",
        "top_k",
        "min_p",
        "max_tokens",
        "stop",
        "token_logprobs",
        "prompt_form",
        "weights_version",
        "adapter",
    ):
        assert {getattr(request, name) for request in made} == {getattr(spec.generation, name)}, name
    told = answers.job(Job(JobKey("", job_id), spec, b"", JobState.PENDING, NOW, Progress(2))).generation
    assert json_format.MessageToDict(told) == {**chosen, "model": "m", "seed": "3"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"passes": 2}, EarlyStop(2)),
        ({"passes": 2, "minSamples": 1}, EarlyStop(2, 0.0, 1)),
        ({"intervalWidth": 0.25}, EarlyStop(0, 0.25, 2)),  # the largest k
    ],
)
def test_early_stop_is_read_and_told(sent: dict[str, Any], kept: EarlyStop) -> None:
    asked = a_job(generation=generation(earlyStop=sent), k=[1, 2])
    job_id, spec, _ = requests.create_job(asked, OneModel())
    assert spec.early_stop == kept
    assert decode(encode(spec), JobSpec) == spec
    told = answers.job(Job(JobKey("", job_id), spec, b"", JobState.PENDING, NOW, Progress(2))).generation.early_stop
    assert EarlyStop(told.passes, told.interval_width, told.min_samples) == kept


def test_in_the_chat_form_answers_end_by_themselves_and_the_tests_names_are_told() -> None:
    chat = generation(promptForm="PROMPT_FORM_CHAT", samplesPerProblem=1)
    request = a_job(**with_fourth(checkFunction="YQ==", entryPoint="f"), generation=chat)
    request.job.problems.inline.problems[0].assertions.assertions[0] = b"assert g(len([])) == 0"
    made = [one for _, one in planned_requests(*requests.create_job(request, OneModel()))]
    assert {one.stop for one in made} == {()}
    assert [(one.goes_on_with_prompt, one.names) for one in made] == [
        (False, ("g",)),
        (False, ()),
        (False, ()),
        (True, ("f",)),
    ]


def test_a_sample_goes_out_with_all_that_is_known_of_it() -> None:
    bare = Sample("s", "p", None, 0, b"x")
    chatted = dataclasses.replace(
        bare, token_logprobs=(-0.5, -0.25), prompt_form=PromptForm.CHAT, answer=b"", reasoning=b"hm"
    )
    for sample in (bare, chatted):
        sent = answers.event(JobEvent(1, NOW, SampleGenerated(sample))).sample_generated
        got = convert.sample(types_pb2.Sample.FromString(sent.SerializeToString()))
        for name in ("token_logprobs", "prompt_form", "answer", "reasoning"):
            assert getattr(got, name) == getattr(sample, name), name


def generation(**changes: Any) -> dict[str, Any]:
    return {"temperatures": [0.2], "samplesPerProblem": 2, **changes}


def inline(**changes: Any) -> dict[str, Any]:
    return {"problems": {"inline": {"problems": [PROBLEM | changes]}}}


def with_fourth(**tests: Any) -> dict[str, Any]:
    """A job whose fourth problem has these tests; those before it are right and of each other form."""
    right = [
        {"problemId": "p/0", "assertions": {"assertions": ["YQ=="]}},
        {"problemId": "p/1", "stdio": {"cases": [{}]}},
        {"problemId": "p/2", "script": {"script": "YQ=="}},
    ]
    return {"problems": {"inline": {"problems": [*right, {"problemId": "p/3", **tests}]}}}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


LARGE, NOT_UTF8 = b64(b"x" * (2**20 + 1)), b64(b"\xff")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"generation": generation(samplesPerProblem=0)}, "job.generation.samples_per_problem"),
        ({"generation": generation(temperatures=[])}, "job.generation.temperatures"),
        ({"generation": generation(temperatures=[0.2, -1])}, "job.generation.temperatures[1]"),
        ({"generation": generation(temperatures=["NaN"])}, "job.generation.temperatures[0]"),
        ({"generation": generation(temperatures=[0.2, 0.2])}, "job.generation.temperatures[1]"),
        ({"generation": generation(topP=0)}, "job.generation.top_p"),
        ({"generation": generation(maxTokens=-1)}, "job.generation.max_tokens"),
        ({"generation": generation(stop=[""])}, "job.generation.stop[0]"),
        ({"generation": generation(promptForm=7)}, "job.generation.prompt_form"),
        ({"generation": generation(topK=-1)}, "job.generation.top_k"),
        ({"generation": generation(minP=1.5)}, "job.generation.min_p"),
        ({"generation": generation(minP="NaN")}, "job.generation.min_p"),
        ({"generation": generation(earlyStop={})}, "job.generation.early_stop"),
        ({"generation": generation(earlyStop={"passes": 3})}, "job.generation.early_stop.passes"),
        ({"generation": generation(earlyStop={"passes": -1})}, "job.generation.early_stop.passes"),
        (
            {"generation": generation(earlyStop={"intervalWidth": "NaN"})},
            "job.generation.early_stop.interval_width",
        ),
        (
            {"generation": generation(earlyStop={"intervalWidth": 0.1}, samplesPerProblem=10_001)},
            "job.generation.early_stop.interval_width",
        ),
        (
            {"generation": generation(earlyStop={"passes": 1, "minSamples": 3})},
            "job.generation.early_stop.min_samples",
        ),
        (
            {"generation": generation(earlyStop={"intervalWidth": 0.1, "minSamples": 1}), "k": [2]},
            "job.generation.early_stop.min_samples",
        ),
        ({"k": [3]}, "job.k[0]"),
        ({"k": [1, 0]}, "job.k[1]"),
        ({"problems": {}}, "job.problems"),
        ({"problems": {"inline": {}}}, "job.problems.inline.problems"),
        ({"problems": {"dataset": "humanevil"}}, "job.problems.dataset"),
        ({"problems": {"dataset": "humaneval", "limit": -1}}, "job.problems.limit"),
        ({"problems": {"inline": {"problems": [PROBLEM, PROBLEM]}}}, "job.problems.inline.problems[1].problem_id"),
        (
            {"problems": {"inline": {"problems": [PROBLEM | {"problemId": "a line\nof a log"}]}}},
            "job.problems.inline.problems[0].problem_id",
        ),
        ({"k": [1] * 101}, "job.k"),
        (inline(entryPoint="a b"), "job.problems.inline.problems[0].entry_point"),
        (inline(prompt="/w=="), "job.problems.inline.problems[0].prompt"),
        (inline(entryPoint="class"), "job.problems.inline.problems[0].entry_point"),
        (with_fourth(), f"{FOURTH}.tests"),
        (with_fourth(checkFunction="", entryPoint="f"), f"{FOURTH}.check_function"),
        (with_fourth(assertions={}), f"{FOURTH}.assertions.assertions"),
        (with_fourth(assertions={"assertions": ["YQ=="] * 10_001}), f"{FOURTH}.assertions.assertions"),
        (with_fourth(assertions={"assertions": ["YQ==", b64(b" \n")]}), f"{FOURTH}.assertions.assertions[1]"),
        (with_fourth(assertions={"assertions": ["YQ==", NOT_UTF8]}), f"{FOURTH}.assertions.assertions[1]"),
        (with_fourth(assertions={"assertions": [LARGE]}), f"{FOURTH}.assertions.assertions[0]"),
        (with_fourth(assertions={"assertions": ["YQ=="], "setup": NOT_UTF8}), f"{FOURTH}.assertions.setup"),
        (with_fourth(stdio={}), f"{FOURTH}.stdio.cases"),
        (with_fourth(stdio={"cases": [{}] * 10_001}), f"{FOURTH}.stdio.cases"),
        (with_fourth(stdio={"cases": [{}, {"stdin": LARGE}]}), f"{FOURTH}.stdio.cases[1].stdin"),
        (with_fourth(stdio={"cases": [{}, {"stdout": LARGE}]}), f"{FOURTH}.stdio.cases[1].stdout"),
        (with_fourth(stdio={"cases": [{"stdin": NOT_UTF8}], "checker": "YQ=="}), f"{FOURTH}.stdio.cases[0].stdin"),
        (with_fourth(stdio={"cases": [{"stdout": NOT_UTF8}], "checker": "YQ=="}), f"{FOURTH}.stdio.cases[0].stdout"),
        (with_fourth(stdio={"cases": [{}], "checker": NOT_UTF8}), f"{FOURTH}.stdio.checker"),
        (with_fourth(stdio={"cases": [{}], "checker": b64(b" ")}), f"{FOURTH}.stdio.checker"),
        (with_fourth(stdio={"cases": [{}], "comparison": 4}), f"{FOURTH}.stdio.comparison"),
        (with_fourth(stdio={"cases": [{}], "tolerance": -0.1}), f"{FOURTH}.stdio.tolerance"),
        (with_fourth(stdio={"cases": [{}], "tolerance": "NaN"}), f"{FOURTH}.stdio.tolerance"),
        (with_fourth(stdio={"cases": [{}], "tolerance": "Infinity"}), f"{FOURTH}.stdio.tolerance"),
        (with_fourth(script={}), f"{FOURTH}.script.script"),
        (with_fourth(script={"script": NOT_UTF8}), f"{FOURTH}.script.script"),
        (with_fourth(script={"script": LARGE}), f"{FOURTH}.script.script"),
        (with_fourth(script={"script": "YQ==", "framework": 3}), f"{FOURTH}.script.framework"),
        (with_fourth(script={"script": "YQ==", "module": "a.b"}), f"{FOURTH}.script.module"),
        (with_fourth(script={"script": "YQ==", "module": "import"}), f"{FOURTH}.script.module"),
        ({"recorded": {}}, "job.recorded.samples"),
        ({"recorded": {"samples": [{"problemId": "p/0"}]}}, "job.recorded.samples[0].completion"),
        ({"recorded": {"samples": [{"problemId": "p/9", "completion": ""}]}}, "job.recorded.samples[0].problem_id"),
        (
            {
                "recorded": {
                    "samples": [
                        {"problemId": "p/0", "completion": "", "temperature": one} for one in (0.2, 0.20000001)
                    ]
                }
            },
            "job.recorded.samples[1].temperature",
        ),
        ({"limits": {"cpuTimeLimit": "-1s"}}, "job.limits.cpu_time_limit"),
        ({"limits": {"memoryLimitBytes": 1}}, "job.limits.memory_limit_bytes"),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(changes: dict[str, Any], field: str) -> None:
    assert fields(a_job(**changes)) == [field]


def test_a_whole_program_is_not_stopped_at_its_first_function() -> None:
    request = a_job(**with_fourth(checkFunction="YQ==", entryPoint="f"), generation=generation(samplesPerProblem=1))
    job_id, spec, contents = requests.create_job(request, OneModel())
    stops = [made.stop for _, made in planned_requests(job_id, spec, contents)]
    assert stops == [(), (), (), CODEX_STOP]
    request.job.generation.stop.append("\n[DONE]")
    job_id, spec, contents = requests.create_job(request, OneModel())
    assert {made.stop for _, made in planned_requests(job_id, spec, contents)} == {("\n[DONE]",)}


def test_what_is_left_out_of_tests_takes_the_defaults() -> None:
    _, _, contents = requests.create_job(a_job(**with_fourth(checkFunction="YQ==", entryPoint="f")), OneModel())
    assert [problem.tests for problem in contents.problems] == [
        AssertionTests(("a",)),
        StdioTests((StdioCase(b"", b""),), Comparison.TOKENS, 1e-6, ""),
        ScriptTests("a", Framework.PYTEST, "solution"),
        FunctionTests("a"),
    ]


def test_bytes_that_nothing_decodes_may_be_any_and_a_tolerance_zero() -> None:
    cases = [{"stdin": NOT_UTF8, "stdout": NOT_UTF8}]
    request = a_job(**with_fourth(stdio={"cases": cases, "comparison": "FLOATS", "tolerance": 0}))
    _, _, contents = requests.create_job(request, OneModel())
    assert contents.problems[3].tests == StdioTests((StdioCase(b"\xff", b"\xff"),), Comparison.FLOATS, 0)


def test_an_entry_point_that_nothing_calls_is_left_out() -> None:
    _, _, contents = requests.create_job(
        a_job(**with_fourth(script={"script": "YQ=="}, entryPoint="not one")), OneModel()
    )
    assert contents.problems[3].entry_point == ""


def test_every_field_at_fault_is_named_at_once() -> None:
    request = a_job(generation=generation(samplesPerProblem=0, temperatures=[-1]))
    request.job_id = "Not An Id"
    assert set(fields(request)) == {
        "job_id",
        "job.generation.temperatures[0]",
        "job.generation.samples_per_problem",
    }


def test_a_completion_of_20_mb_is_refused() -> None:
    request = a_job(recorded={"samples": [{"problemId": "p/0", "completion": ""}]})
    request.job.recorded.samples[0].completion = b"x" * 20_000_000
    assert fields(request) == ["job.recorded.samples[0].completion"]


def test_an_empty_completion_is_a_completion() -> None:
    recorded = {"samples": [{"problemId": "p/0", "completion": ""}]}
    _, _, contents = requests.create_job(a_job(recorded=recorded), OneModel())
    assert contents.recorded is not None
    assert contents.recorded[0].completion == b""


def test_recorded_samples_are_numbered_by_problem_and_temperature() -> None:
    samples = [{"problemId": "p/0", "completion": "", "temperature": t} for t in (0.2, 0.2, 0.8)]
    samples.append({"problemId": "p/0", "completion": ""})
    _, spec, contents = requests.create_job(a_job(recorded={"samples": samples}), OneModel())
    assert contents.recorded is not None
    assert [one.sample_id for one in contents.recorded] == ["p/0@0.2#0", "p/0@0.2#1", "p/0@0.8#0", "p/0@-#0"]
    assert temperatures(spec, contents) == (0.2, 0.8, None)


def test_a_longer_cpu_limit_widens_the_backstop() -> None:
    _, spec, _ = requests.create_job(a_job(limits={"cpuTimeLimit": "30s"}), OneModel())
    assert (spec.limits.cpu_time_seconds, spec.limits.wall_time_seconds) == (30, 120)


def test_an_unknown_model_is_a_precondition() -> None:
    with pytest.raises(PreconditionFailed):
        requests.create_job(a_job(generation=generation(model="models/other")), OneModel())


@pytest.mark.parametrize("name", ["", "jobs/", "jobs/A", "job/a", "jobs/a/b", "jobs/" + "a" * 64])
def test_a_name_that_is_not_of_the_form(name: str) -> None:
    with pytest.raises(InvalidRequest, match="jobs/JOB_ID"):
        requests.job_id_of(name)


def test_pages() -> None:
    assert requests.page(job_pb2.ListJobsRequest()) == (50, None)
    assert requests.page(job_pb2.ListJobsRequest(page_size=5000)) == (1000, None)
    for wrong in (job_pb2.ListJobsRequest(page_size=-1), job_pb2.ListJobsRequest(page_token="§")):
        with pytest.raises(InvalidRequest):
            requests.page(wrong)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"priority": 7}, "job.priority"), ({"timeout": "-1s"}, "job.timeout"), ({"timeout": "40000000s"}, "job.timeout")],
)
def test_a_priority_or_timeout_that_is_none(changes: dict[str, Any], field: str) -> None:
    assert fields(a_job(**changes)) == [field]


def test_priority_and_timeout_come_back() -> None:
    _, spec, contents = requests.create_job(a_job(priority="PRIORITY_INTERACTIVE", timeout="90s"), OneModel())
    assert (spec.priority, spec.timeout_seconds) == (Priority.INTERACTIVE, 90)
    now = datetime.datetime.now(datetime.UTC)
    job = Job(JobKey("", "j"), spec, request_digest(spec, contents), JobState.PENDING, now, Progress(4))
    told = answers.job(job)
    assert (told.priority, told.timeout.seconds) == (types_pb2.PRIORITY_INTERACTIVE, 90)


@pytest.mark.parametrize(
    ("name", "job_id", "field"), [("jobs/a", "a", "job_id"), ("jobs/a", "A", "job_id"), ("a", "b", "name")]
)
def test_a_rejudging_that_names_no_other_job(name: str, job_id: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        requests.rejudge_job(job_pb2.RejudgeJobRequest(name=name, job_id=job_id))
    assert refused.value.violations[0].field == field


def test_judge_items() -> None:
    setup = judge_pb2.JudgeRequest()
    setup.setup.problems.dataset = "humaneval"
    begun = requests.judge_setup(setup)
    problems = begun.problems
    assert begun.priority is Priority.INTERACTIVE
    assert len(problems) == 164
    item = judge_pb2.JudgeItem(id="a", problem_id="HumanEval/0", completion=b"")
    assert requests.judge_item(judge_pb2.JudgeRequest(item=item), 0, problems, set())[0] == "a"
    wrong = [
        (judge_pb2.JudgeRequest(item=item), {"a"}, "items[3].id"),
        (judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id="b", problem_id="x", completion=b"")), set(), "problem_id"),
        (judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id="b", problem_id="HumanEval/0")), set(), "completion"),
        (setup, set(), "items[3]"),
    ]
    for request, seen, field in wrong:
        with pytest.raises(InvalidRequest, match=r"items\[3\]") as refused:
            requests.judge_item(request, 3, problems, seen)
        assert field in refused.value.violations[0].field
    with pytest.raises(InvalidRequest, match="first message"):
        requests.judge_setup(judge_pb2.JudgeRequest(item=item))
