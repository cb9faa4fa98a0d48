// Queues by unary calls.
import { Code } from "@connectrpc/connect";
import type { Message } from "../gen/naru/v1/records_pb.js";
import { equal, fails, holds, unique, type Suite } from "./harness.js";
import type { Naru } from "./main.js";

type Settings = Parameters<Naru["queues"]["createQueue"]>[0]["settings"];

export async function queue(naru: Naru, settings: Settings = {}): Promise<string> {
  return (await naru.queues.createQueue({ queue: unique("q"), settings })).queue;
}

export async function send(naru: Naru, queue: string, ...texts: string[]): Promise<void> {
  const { results } = await naru.queues.send({ queue, messages: texts.map((value) => ({ value: { case: "text", value } })) });
  equal(results.map((r) => r.error), texts.map(() => undefined), "errors of send");
}

// take receives until n messages came.
export async function take(naru: Naru, queue: string, n: number): Promise<Message[]> {
  const out: Message[] = [];
  for (const end = Date.now() + 30_000; out.length < n; ) {
    holds(Date.now() < end, `${out.length} of ${n} messages after 30 s`);
    out.push(...(await naru.queues.receive({ queue, maxMessages: n - out.length, wait: { seconds: 1n } })).messages);
  }
  return out;
}

export const texts = (messages: Message[]) => messages.map((m) => m.value.value);

async function roundTrip(naru: Naru): Promise<void> {
  const name = await queue(naru);
  const binary = Uint8Array.of(0, 255, 128);
  await naru.queues.send({ queue: name, messages: [{ value: { case: "text", value: "커피 한 잔 ☕" }, key: { case: "keyText", value: "손님" } }, { value: { case: "bytes", value: binary } }] });
  const got = (await take(naru, name, 2)).sort((a, b) => Number(a.offset - b.offset));
  equal(got.map((m) => [m.key.value, m.value.value, m.attempts]), [["손님", "커피 한 잔 ☕", 1], [undefined, binary, 1]], "messages");
  const { results } = await naru.queues.ack({ queue: name, deliveries: got.map((m) => m.delivery) });
  equal(results.map((r) => [r.delivery, r.error]), got.map((m) => [m.delivery, undefined]), "settled");
  const { stats } = await naru.queues.getQueue({ queue: name });
  equal([stats?.ready, stats?.inFlight, stats?.acked], [0n, 0n, 2n], "ready, in flight, acked");
}

async function again(naru: Naru): Promise<void> {
  const dead = await queue(naru);
  const name = await queue(naru, { lanes: 3, deadLetter: dead });
  await naru.queues.send({ queue: name, messages: [0, 2, 1].map((priority) => ({ priority, value: { case: "text" as const, value: `${priority}` } })) });
  const got = await take(naru, name, 3);
  equal(texts(got), ["2", "1", "0"], "by priority");
  await naru.queues.nack({ queue: name, delivery: got[0].delivery });
  await naru.queues.reject({ queue: name, delivery: got[1].delivery });
  await naru.queues.extend({ queue: name, delivery: got[2].delivery, lease: { seconds: 60n } });
  const [back] = await take(naru, name, 1);
  equal([back.id, back.attempts], [got[0].id, 2], "after nack");
  equal(texts(await take(naru, dead, 1)), ["1"], "after reject");
}

async function waits(naru: Naru): Promise<void> {
  const name = await queue(naru);
  const waiting = naru.queues.receive({ queue: name, wait: { seconds: 20n } });
  await send(naru, name, "awake");
  equal(texts((await waiting).messages), ["awake"], "who waited");
}

async function errors(naru: Naru): Promise<void> {
  const name = await queue(naru);
  await fails(Code.NotFound, () => naru.queues.receive({ queue: "no-such" }));
  await fails(Code.InvalidArgument, () => naru.queues.createQueue({ queue: unique("q"), settings: { lanes: 11 } }));
  await fails(Code.InvalidArgument, () => naru.queues.send({ queue: name }));
  await fails(Code.InvalidArgument, () => naru.queues.ack({ queue: name }));
}

export async function queueChecks(suite: Suite, name: string, naru: Naru): Promise<void> {
  await suite.run(`${name}: send, receive, ack`, () => roundTrip(naru));
  await suite.run(`${name}: priorities, nack, reject, extend`, () => again(naru));
  await suite.run(`${name}: a receive that waits`, () => waits(naru));
  await suite.run(`${name}: errors of queues and their codes`, () => errors(naru));
}
