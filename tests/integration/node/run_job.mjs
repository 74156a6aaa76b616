// Runs one job on a codesieve server from Node.js, knowing only its address: `node run_job.mjs HOST:PORT`.
//
// The services are learned by gRPC server reflection, so no stubs and no proto files of codesieve are needed. Prints one
// line of JSON: the services, the health, the job's last state, and how many samples met which verdict.
import { createRequire } from "node:module";
import path from "node:path";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const OPTIONS = { longs: Number, enums: String, defaults: false, oneofs: true };
const DEADLINE_MS = 120_000;

const require = createRequire(import.meta.url);
const reflectionProtos = path.join(path.dirname(require.resolve("@grpc/reflection")), "..", "proto", "grpc", "reflection");

const address = process.argv[2];
if (!address) {
  console.error("usage: node run_job.mjs HOST:PORT");
  process.exit(2);
}

function connect(Service) {
  return new Service(address, grpc.credentials.createInsecure());
}

function deadline() {
  return { deadline: Date.now() + DEADLINE_MS };
}

function call(client, method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, deadline(), (error, response) => (error ? reject(error) : resolve(response)));
  });
}

// Asks one reflection question on a stream of its own.
function ask(client, request) {
  return new Promise((resolve, reject) => {
    const stream = client.ServerReflectionInfo(deadline());
    stream.on("data", (response) => {
      stream.end();
      if (response.errorResponse) reject(new Error(`${JSON.stringify(request)}: ${response.errorResponse.errorMessage}`));
      else resolve(response);
    });
    stream.on("error", reject);
    stream.on("end", () => reject(new Error(`${JSON.stringify(request)}: no answer`)));
    stream.write(request);
  });
}

// The reflection client and the names of the server's services, by the newest version that the server speaks.
async function reflect() {
  for (const version of ["v1", "v1alpha"]) {
    const definition = protoLoader.loadSync(path.join(reflectionProtos, version, "reflection.proto"), OPTIONS);
    const client = connect(grpc.loadPackageDefinition(definition).grpc.reflection[version].ServerReflection);
    try {
      const { listServicesResponse } = await ask(client, { listServices: "" });
      return { client, version, services: listServicesResponse.service.map((service) => service.name).sort() };
    } catch (error) {
      client.close();
      if (error.code !== grpc.status.UNIMPLEMENTED) throw error;
    }
  }
  throw new Error(`${address} speaks no version of gRPC server reflection`);
}

// A FileDescriptorSet is `repeated FileDescriptorProto file = 1`: each file with its tag and its length before it.
function descriptorSet(files) {
  const parts = [];
  for (const file of files) {
    const head = [0x0a];
    let length = file.length;
    for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
    parts.push(Buffer.from([...head, length]), file);
  }
  return Buffer.concat(parts);
}

async function loadServices(reflection, services) {
  const files = new Map(); // the same file comes with several services
  for (const service of services) {
    const { fileDescriptorResponse } = await ask(reflection, { fileContainingSymbol: service });
    for (const file of fileDescriptorResponse.fileDescriptorProto) {
      files.set(Buffer.from(file).toString("base64"), Buffer.from(file));
    }
  }
  const set = descriptorSet(files.values());
  return grpc.loadPackageDefinition(protoLoader.loadFileDescriptorSetFromBuffer(set, OPTIONS));
}

function watch(jobs, name) {
  return new Promise((resolve, reject) => {
    const events = [];
    const stream = jobs.WatchJob({ name, after_sequence: 0 }, deadline());
    stream.on("data", (event) => events.push(event));
    stream.on("error", reject);
    stream.on("end", () => resolve(events));
  });
}

const right = `    ordered = sorted(numbers)
    return any(b - a < threshold for a, b in zip(ordered, ordered[1:]))
`;
const recorded = [
  { problem_id: "HumanEval/0", completion: Buffer.from(right) },
  { problem_id: "HumanEval/0", completion: Buffer.from("    return False\n") },
  { problem_id: "HumanEval/1", completion: Buffer.from("    return undefined_name\n") },
  { problem_id: "HumanEval/1", completion: Buffer.from("    return (\n") },
];

const { client: reflection, version, services } = await reflect();
const { grpc: standard, codesieve } = await loadServices(reflection, services);
reflection.close();

const health = connect(standard.health.v1.Health);
const { status } = await call(health, "Check", { service: "" });
health.close();

const jobs = connect(codesieve.v1.JobService);
const created = await call(jobs, "CreateJob", {
  job: { problems: { dataset: "humaneval", limit: 2 }, recorded: { samples: recorded } },
});
const events = await watch(jobs, created.name);
jobs.close();

const verdicts = {};
let unjudged = 0;
let job;
for (const event of events) {
  if (event.job) job = event.job;
  const judgement = event.sample_judged?.judgement;
  if (judgement?.outcome === "verdict") verdicts[judgement.verdict] = (verdicts[judgement.verdict] ?? 0) + 1;
  else if (judgement) unjudged += 1;
}
const result = {
  reflection: version,
  services,
  health: status,
  state: job?.state,
  sequences: events.map((event) => event.sequence),
  verdicts,
  unjudged,
  pass_at_1: job?.report?.temperatures?.[0]?.pass_at_k?.[0]?.value,
};
console.log(JSON.stringify(result));
