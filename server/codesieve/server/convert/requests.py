"""What clients send, checked and turned into the domain's values.

A request is read to its end and every field at fault is named with its path, so that a client can mend all of them at
once. Nothing is started before a request has been read.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import uuid
from collections.abc import Collection, Mapping

from google.protobuf.duration_pb2 import Duration

from codesieve.server.convert.early import read_early_stop
from codesieve.server.convert.fields import LABEL_FORM, Violations, is_label
from codesieve.server.convert.problems import ProblemReader, problem_source
from codesieve.server.convert.samples import MAX_SAMPLES, MAX_TEMPERATURE, SampleReader, completion
from codesieve.server.errors import InvalidRequest, Violation
from codesieve.server.evaluation.report import default_ks
from codesieve.server.jobs.model import GenerationSpec, JobContents, JobSpec
from codesieve.server.models import ModelRegistry
from codesieve.server.sharing import Priority
from codesieve.v1 import job_pb2, judge_pb2, types_pb2
from codesieve.workers.types import Limits, Problem, PromptForm, Sample

MAX_TOKENS = 131_072
MAX_TEMPERATURES = 100
MAX_STOP = 64
MAX_STOP_CHARACTERS = 1000
MAX_KS = 100
MAX_ITEM_ID = 1024

MAX_TIMEOUT_SECONDS = 366 * 86_400.0
JOB_ID_FORM = "must be 1 to 63 lower-case letters, digits and hyphens, beginning with a letter"

_JOB_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PROMPT_FORMS = {
    types_pb2.PROMPT_FORM_COMPLETION: PromptForm.COMPLETION,
    types_pb2.PROMPT_FORM_CHAT: PromptForm.CHAT,
}
_PRIORITIES = {types_pb2.PRIORITY_BATCH: Priority.BATCH, types_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE}


def job_id_of(name: str) -> str:
    """The id in "jobs/{job_id}"."""
    prefix, _, job_id = name.partition("/")
    if prefix != "jobs" or not _JOB_ID.fullmatch(job_id):
        raise InvalidRequest([Violation("name", f"must be of the form jobs/JOB_ID, not {name[:80]!r}")])
    return job_id


def create_job(request: job_pb2.CreateJobRequest, models: ModelRegistry) -> tuple[str, JobSpec, JobContents]:
    """The id of a new job, and what is asked for."""
    return JobReader(request).result(models)


class JobReader:
    """Reads a job whose contents may come in pieces; what is wrong is told once all of it is there.

    A piece is checked and turned into the domain's values as it comes, so that none of the messages need be kept.
    """

    def __init__(self, request: job_pb2.CreateJobRequest) -> None:
        self._found = Violations()
        self._job_id = request.job_id or _new_job_id()
        if not _JOB_ID.fullmatch(self._job_id):
            self._found.add("job_id", JOB_ID_FORM)
        self._job = request.job
        self._reader = ProblemReader(self._job.problems, "job.problems", self._found)
        self._problems: tuple[Problem, ...] | None = None
        self._samples = SampleReader("job.recorded.samples", self._found)
        if self._job.recorded.samples:
            self._samples.add(self._job.recorded.samples, self._all_problems())

    def add(self, piece: job_pb2.UploadJobRequest) -> None:
        """Takes the next piece. Raises `InvalidRequest` for one that can't come here."""
        kind = piece.WhichOneof("piece")
        if kind == "problems" and self._reader.inline and self._problems is None:
            self._reader.add(piece.problems.problems)
        elif kind == "samples" and self._job.WhichOneof("samples") == "recorded":
            self._samples.add(piece.samples.samples, self._all_problems())
        else:
            raise InvalidRequest([Violation(*_misplaced(kind))])

    def result(self, models: ModelRegistry) -> tuple[str, JobSpec, JobContents]:
        """The id of the job, and what is asked for. Raises `InvalidRequest` with all that is wrong."""
        found, job, problems = self._found, self._job, self._all_problems()
        generation: GenerationSpec | None = None
        recorded: tuple[Sample, ...] | None = None
        fewest = most = 0
        kind = job.WhichOneof("samples")
        if kind == "generation":
            generation = _generation(job.generation, found)
            fewest = most = max(job.generation.samples_per_problem, 0)
            if len(problems) * len(generation.temperatures) * fewest > MAX_SAMPLES:
                found.add("job.generation.samples_per_problem", f"the job would have more than {MAX_SAMPLES} samples")
        elif kind == "recorded":
            recorded = self._samples.all()
            fewest, most = self._samples.fewest_and_most
        else:
            found.add("job.samples", "must be set: generation, or recorded samples")
        if len(job.k) > MAX_KS:
            found.add("job.k", f"must hold at most {MAX_KS}, not {len(job.k)}")
        for i, k in enumerate(job.k[:MAX_KS]):
            if k < 1:
                found.add(f"job.k[{i}]", f"must be at least 1, not {k}")
            elif k > most > 0:
                found.add(f"job.k[{i}]", f"is {k}, but there are only {most} samples per problem and temperature")
        ks = tuple(dict.fromkeys(job.k)) or default_ks(fewest)
        if generation is not None and job.generation.HasField("early_stop"):
            early_stop = read_early_stop(job.generation.early_stop, most, ks, found)
            generation = dataclasses.replace(generation, early_stop=early_stop)
        limits = job_limits(job.limits, "job.limits", found)
        chosen = _priority(job.priority, "job.priority", Priority.BATCH, found)
        timeout = job.timeout.seconds + job.timeout.nanos / 1e9
        if not 0 <= timeout <= MAX_TIMEOUT_SECONDS:
            found.add("job.timeout", f"must be between 0 and {MAX_TIMEOUT_SECONDS:g} s, not {timeout:g} s")
        found.check()
        if generation is not None:
            model = generation.model or models.default()
            models.pool(model)  # a model is looked up for a request that is otherwise right
            generation = dataclasses.replace(generation, model=model)
        spec = JobSpec(
            generation=generation,
            limits=limits,
            ks=ks,
            source=job.problems.dataset or "inline",
            limit=job.problems.limit,
            priority=chosen,
            timeout_seconds=timeout or None,
        )
        return self._job_id, spec, JobContents(problems, recorded)

    def _all_problems(self) -> tuple[Problem, ...]:
        """The problems; asked for with the first sample, so that none can come after it."""
        if self._problems is None:
            self._problems = self._reader.all()
        return self._problems


def upload_start(request: job_pb2.UploadJobRequest) -> job_pb2.CreateJobRequest:
    """The first message of an upload."""
    if request.WhichOneof("piece") != "create":
        raise no_start()
    return request.create


def no_start() -> InvalidRequest:
    """An upload that doesn't begin as it must."""
    return InvalidRequest([Violation("create", "must be the stream's first message")])


def objects_in(piece: job_pb2.UploadJobRequest) -> int:
    """How many problems and samples a message of an upload holds."""
    job = piece.create.job
    inline = len(job.problems.inline.problems) + len(job.recorded.samples)
    return inline + len(piece.problems.problems) + len(piece.samples.samples)


def _misplaced(kind: str | None) -> tuple[str, str]:
    if kind == "problems":
        return "problems", "may come only where job.problems.inline is set, and before the first sample"
    if kind == "samples":
        return "samples", "may come only where job.recorded is set"
    if kind == "create":
        return "create", "comes once, as the stream's first message"
    return "piece", "must be set: problems or samples"


def rejudge_job(request: job_pb2.RejudgeJobRequest) -> tuple[str, str]:
    """The job whose samples are judged again, and the new one's id."""
    source = job_id_of(request.name)
    job_id = request.job_id or _new_job_id()
    if not _JOB_ID.fullmatch(job_id):
        raise InvalidRequest([Violation("job_id", JOB_ID_FORM)])
    if job_id == source:
        raise InvalidRequest([Violation("job_id", "must be another than that of the job that is judged again")])
    return source, job_id


@dataclasses.dataclass(frozen=True, slots=True)
class JudgeSetup:
    """What a Judge stream begins with."""

    problems: Mapping[str, Problem]
    """By their ids."""
    limits: Limits
    priority: Priority


def judge_setup(request: judge_pb2.JudgeRequest) -> JudgeSetup:
    """The stream's first message."""
    found = Violations()
    if request.WhichOneof("request") != "setup":
        found.add("setup", "must be the stream's first message")
        found.check()
    problems = problem_source(request.setup.problems, "setup.problems", found)
    limits = job_limits(request.setup.limits, "setup.limits", found)
    chosen = _priority(request.setup.priority, "setup.priority", Priority.INTERACTIVE, found)
    found.check()
    return JudgeSetup({problem.problem_id: problem for problem in problems}, limits, chosen)


def judge_item(
    request: judge_pb2.JudgeRequest, number: int, problems: Mapping[str, Problem], unanswered: Collection[str]
) -> tuple[str, Problem, bytes]:
    """Id, problem and completion of a Judge stream's item; `number` counts from 0 and names it in errors."""
    found = Violations()
    item = request.item
    here = f"items[{number}]"
    if request.WhichOneof("request") != "item":
        found.add(here, "must be an item; setup comes once, at the beginning")
        found.check()
    if not 1 <= len(item.id) <= MAX_ITEM_ID:
        found.add(f"{here}.id", f"must be 1 to {MAX_ITEM_ID} characters")
    elif item.id in unanswered:
        found.add(f"{here}.id", f"{item.id!r} is the id of another item that isn't answered yet")
    if item.problem_id not in problems:
        found.add(f"{here}.problem_id", f"there is no problem {item.problem_id[:80]!r} in setup.problems")
    completion(item.HasField("completion"), item.completion, f"{here}.completion", found)
    found.check()
    return item.id, problems[item.problem_id], item.completion


def job_limits(limits: types_pb2.Limits, path: str, found: Violations) -> Limits:
    """What a program may use; fields left out take the defaults."""
    default = Limits()

    def seconds(name: str, value: Duration, otherwise: float, most: float) -> float:
        given = value.seconds + value.nanos / 1e9
        if given < 0 or given > most:
            found.add(f"{path}.{name}", f"must be between 0 and {most:g} s, not {given:g} s")
        return given or otherwise

    def whole(name: str, value: int, otherwise: int, least: int, most: int) -> int:
        if value and not least <= value <= most:
            found.add(f"{path}.{name}", f"must be between {least} and {most}, not {value}")
        return value or otherwise

    cpu = seconds("cpu_time_limit", limits.cpu_time_limit, default.cpu_time_seconds, 600)
    wall_default = max(default.wall_time_seconds, 4 * cpu)
    return Limits(
        cpu_time_seconds=cpu,
        wall_time_seconds=seconds("wall_time_limit", limits.wall_time_limit, wall_default, 3600),
        memory_bytes=whole("memory_limit_bytes", limits.memory_limit_bytes, default.memory_bytes, 2**24, 2**38),
        output_bytes=whole("output_limit_bytes", limits.output_limit_bytes, default.output_bytes, 1, 2**30),
        file_size_bytes=whole("file_size_limit_bytes", limits.file_size_limit_bytes, default.file_size_bytes, 1, 2**34),
        processes=whole("process_limit", limits.process_limit, default.processes, 1, 1024),
    )


def page(request: job_pb2.ListJobsRequest) -> tuple[int, str | None]:
    """How many jobs to list, and after which one."""
    if request.page_size < 0:
        raise InvalidRequest([Violation("page_size", f"must be at least 0, not {request.page_size}")])
    size = min(request.page_size or 50, 1000)
    if not request.page_token:
        return size, None
    try:
        before = base64.urlsafe_b64decode(request.page_token.encode()).decode()
    except (binascii.Error, ValueError):
        before = ""
    if not _JOB_ID.fullmatch(before):
        raise InvalidRequest([Violation("page_token", "is not one that ListJobs returned")])
    return size, before


def _new_job_id() -> str:
    return f"job-{uuid.uuid4().hex[:16]}"


def _priority(value: types_pb2.Priority, path: str, default: Priority, found: Violations) -> Priority:
    if value and value not in _PRIORITIES:
        found.add(path, f"must be PRIORITY_BATCH or PRIORITY_INTERACTIVE, not {value}")
    return _PRIORITIES.get(value, default)


def _generation(message: job_pb2.Generation, found: Violations) -> GenerationSpec:
    here = "job.generation"
    if not message.temperatures:
        found.add(f"{here}.temperatures", "must hold at least one")
    elif len(message.temperatures) > MAX_TEMPERATURES:
        found.add(f"{here}.temperatures", f"must hold at most {MAX_TEMPERATURES}, not {len(message.temperatures)}")
    seen: set[str] = set()
    for i, temperature in enumerate(message.temperatures[:MAX_TEMPERATURES]):
        if not 0 <= temperature <= MAX_TEMPERATURE:  # false for NaN as well
            found.add(f"{here}.temperatures[{i}]", f"must be between 0 and {MAX_TEMPERATURE:g}, not {temperature:g}")
        if f"{temperature:g}" in seen:
            found.add(f"{here}.temperatures[{i}]", f"{temperature:g} is there twice")
        seen.add(f"{temperature:g}")
    if message.samples_per_problem < 1:
        found.add(f"{here}.samples_per_problem", f"must be at least 1, not {message.samples_per_problem}")
    top_p = message.top_p if message.HasField("top_p") else 0.95
    if not 0 < top_p <= 1:
        found.add(f"{here}.top_p", f"must be greater than 0 and at most 1, not {top_p:g}")
    if not 0 <= message.max_tokens <= MAX_TOKENS:
        found.add(f"{here}.max_tokens", f"must be between 0 and {MAX_TOKENS}, not {message.max_tokens}")
    if message.prompt_form and message.prompt_form not in _PROMPT_FORMS:
        found.add(
            f"{here}.prompt_form", f"must be PROMPT_FORM_COMPLETION or PROMPT_FORM_CHAT, not {message.prompt_form}"
        )
    if message.top_k < 0:
        found.add(f"{here}.top_k", f"must be at least 0, not {message.top_k}")
    if not 0 <= message.min_p <= 1:  # false for NaN as well
        found.add(f"{here}.min_p", f"must be between 0 and 1, not {message.min_p:g}")
    if len(message.stop) > MAX_STOP:
        found.add(f"{here}.stop", f"must hold at most {MAX_STOP}, not {len(message.stop)}")
    for field in ("weights_version", "adapter"):
        value = getattr(message, field)
        if value and not is_label(value):
            found.add(f"{here}.{field}", f"{LABEL_FORM}, not {value[:80]!r}")
    for i, stop in enumerate(message.stop[:MAX_STOP]):
        if not 1 <= len(stop) <= MAX_STOP_CHARACTERS:
            found.add(f"{here}.stop[{i}]", f"must be 1 to {MAX_STOP_CHARACTERS} characters")
    return GenerationSpec(
        model=message.model.removeprefix("models/"),
        temperatures=tuple(message.temperatures),
        samples_per_problem=message.samples_per_problem,
        top_p=top_p,
        max_tokens=message.max_tokens or 512,
        stop=tuple(message.stop),
        seed=message.seed,
        top_k=message.top_k,
        min_p=message.min_p,
        token_logprobs=message.token_logprobs,
        prompt_form=_PROMPT_FORMS.get(message.prompt_form, PromptForm.COMPLETION),
        weights_version=message.weights_version,
        adapter=message.adapter,
    )
