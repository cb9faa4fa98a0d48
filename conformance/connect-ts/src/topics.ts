// Topics and records: unary calls, the server stream, errors.
import { Code } from "@connectrpc/connect";
import type { Record as TopicRecord } from "../gen/naru/v1/records_pb.js";
import { equal, fails, holds, unique, type Suite } from "./harness.js";
import type { Naru } from "./main.js";

const text = (value: string) => ({ case: "text" as const, value });
const texts = (records: TopicRecord[]) => records.map((r) => r.value.value);

async function topic(naru: Naru, partitions = 1): Promise<string> {
  return (await naru.topics.createTopic({ topic: unique("t"), partitions })).topic;
}

async function life(naru: Naru): Promise<void> {
  const name = unique("t");
  const made = await naru.topics.createTopic({ topic: name, partitions: 2, settings: { "retention.ms": "60000" } });
  equal([made.topic, made.partitionCount, made.records], [name, 2, 0n], "made");
  const got = await naru.topics.getTopic({ topic: name });
  equal(got.partitions.map((p) => [p.partition, p.logStart, p.end]), [[0, 0n, 0n], [1, 0n, 0n]], "partitions");
  equal(got.settings.find((s) => s.name === "retention.ms")?.value, "60000", "retention.ms");
  equal((await naru.topics.listTopics({ prefix: name })).topics.map((t) => t.topic), [name], "list");
  equal((await naru.topics.updateTopic({ topic: name, partitions: 3 })).partitionCount, 3, "grown");
  await naru.topics.deleteTopic({ topic: name });
  await fails(Code.NotFound, () => naru.topics.getTopic({ topic: name }));
}

async function records(naru: Naru): Promise<void> {
  const name = await topic(naru);
  const binary = Uint8Array.from({ length: 256 }, (_, i) => i);
  const headers = [{ name: "이름", value: text("값") }, { name: "b", value: { case: "bytes" as const, value: Uint8Array.of(255, 0) } }];
  const { results } = await naru.topics.produce({
    topic: name,
    records: [
      { key: { case: "keyText", value: "열쇠" }, value: text("나루 🚢"), headers, contentType: "text/plain" },
      { value: { case: "bytes", value: binary } },
      {},
      { key: { case: "keyText", value: "" }, value: text("") },
    ],
  });
  equal(results.map((r) => [r.partition, r.offset, r.error]), [[0, 0n, undefined], [0, 1n, undefined], [0, 2n, undefined], [0, 3n, undefined]], "results");
  const got = (await naru.topics.read({ topic: name })).records;
  equal(got.map((r) => [r.offset, r.key.value, r.value.case, r.value.value]), [
    [0n, "열쇠", "text", "나루 🚢"], [1n, undefined, "bytes", binary], [2n, undefined, undefined, undefined], [3n, "", "text", ""],
  ], "records");
  equal(got[0].contentType, "text/plain", "content type");
  const own = got[0].headers.filter((h) => h.name !== "content-type");
  equal(own.map((h) => [h.name, h.value.value]), [["이름", "값"], ["b", Uint8Array.of(255, 0)]], "headers");
}

async function paged(naru: Naru): Promise<void> {
  const name = await topic(naru, 3);
  for (let start = 0; start < 300; start += 100) {
    const batch = Array.from({ length: 100 }, (_, i) => ({ key: { case: "keyText" as const, value: `k${i % 11}` }, value: text(`${start + i}`) }));
    await naru.topics.produce({ topic: name, records: batch });
  }
  const got: TopicRecord[] = [];
  for (let cursor = "", end = false; !end; ) {
    const page = await naru.topics.read({ topic: name, cursor, maxRecords: 77 });
    got.push(...page.records);
    ({ cursor, end } = page);
  }
  inOrder(got);
  equal(texts(got).map(Number).sort((a, b) => a - b), Array.from({ length: 300 }, (_, i) => i), "each once");
}

function inOrder(records: TopicRecord[]): void {
  const last = new Map<number, bigint>();
  for (const r of records) {
    const before = last.get(r.partition);
    if (before !== undefined) equal(r.offset, before + 1n, `the offset after ${before} in partition ${r.partition}`);
    last.set(r.partition, r.offset);
  }
}

// A stream that is left and begun again at its cursor has no gap and nothing twice.
async function stream(naru: Naru): Promise<void> {
  const name = await topic(naru, 2);
  const producing = (async () => {
    for (let start = 0; start < 200; start += 20)
      await naru.topics.produce({ topic: name, records: Array.from({ length: 20 }, (_, i) => ({ value: text(`${start + i}`) })) });
  })();
  const got: TopicRecord[] = [];
  let cursor = "";
  for (const enough of [70, 200]) {
    const abort = new AbortController();
    for await (const answer of naru.topics.subscribe({ topic: name, from: cursor ? "" : "earliest", cursor }, { signal: abort.signal })) {
      got.push(...answer.records);
      cursor = answer.cursor || cursor;
      if (got.length >= enough) break;
    }
    abort.abort();
  }
  await producing;
  inOrder(got);
  equal(texts(got).map(Number).sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i), "each once");
}

async function idempotent(naru: Naru): Promise<void> {
  const name = await topic(naru);
  const headers = { "Idempotency-Key": unique("key") };
  const request = { topic: name, records: [{ value: text("한 번만") }] };
  const first = await naru.topics.produce(request, { headers });
  const again = await naru.topics.produce(request, { headers });
  equal([again.results[0].offset, again.results[0].duplicate], [first.results[0].offset, true], "the second answer");
  equal(texts((await naru.topics.read({ topic: name })).records), ["한 번만"], "records");
}

async function errors(naru: Naru): Promise<void> {
  const name = await topic(naru);
  const missing = await fails(Code.NotFound, () => naru.topics.getTopic({ topic: "no-such" }));
  holds(missing.rawMessage.includes("no-such"), `the message names the topic: ${missing.rawMessage}`);
  await fails(Code.NotFound, () => naru.topics.getTopic({ topic: "ends-in-a-space " })); // with a message, which is a header in gRPC
  await fails(Code.AlreadyExists, () => naru.topics.createTopic({ topic: name }));
  await fails(Code.InvalidArgument, () => naru.topics.createTopic({ topic: "with space" }));
  await fails(Code.InvalidArgument, () => naru.topics.produce({ topic: name }));
  await fails(Code.InvalidArgument, () => naru.topics.read({ topic: name, from: "yesterday" }));
  await fails(Code.DeadlineExceeded, () => naru.topics.read({ topic: name, wait: { seconds: 30n } }, { timeoutMs: 300 }));
  const first = async (request: { topic: string; cursor?: string }) => {
    for await (const answer of naru.topics.subscribe(request)) return answer;
  };
  await fails(Code.NotFound, () => first({ topic: "no-such" }));
  await fails(Code.InvalidArgument, () => first({ topic: name, cursor: "nonsense" }));
}

async function status(naru: Naru): Promise<void> {
  const s = await naru.system.getStatus({});
  holds(s.ready && s.version && s.clusterId, `status ${s.version} ${s.clusterId} ${s.problem}`);
}

export async function topicChecks(suite: Suite, name: string, naru: Naru): Promise<void> {
  await suite.run(`${name}: status`, () => status(naru));
  await suite.run(`${name}: topics, create to delete`, () => life(naru));
  await suite.run(`${name}: records, Korean, bytes, null, empty`, () => records(naru));
  await suite.run(`${name}: 300 records read by cursor`, () => paged(naru));
  await suite.run(`${name}: Subscribe while producing, resumed`, () => stream(naru));
  await suite.run(`${name}: Idempotency-Key`, () => idempotent(naru));
  await suite.run(`${name}: errors of topics and their codes`, () => errors(naru));
}
