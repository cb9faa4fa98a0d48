// Consume, where the transport goes both ways.
import { Code } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Message } from "../gen/naru/v1/records_pb.js";
import type { ConsumeRequestSchema } from "../gen/naru/v1/queues_pb.js";
import { equal, fails, holds, Pushed, type Suite } from "./harness.js";
import type { Naru } from "./main.js";
import { queue, send, take, texts } from "./queues.js";

type Step = MessageInitShape<typeof ConsumeRequestSchema>;

// 300 messages with a credit of 10: never more are in hand, and each comes once.
async function credit(naru: Naru): Promise<void> {
  const name = await queue(naru);
  await send(naru, name, ...Array.from({ length: 300 }, (_, i) => `${i}`));
  const steps = new Pushed<Step>();
  steps.push({ queue: name, credit: 10 });
  const hand = new Set<string>(), got: Message[] = [];
  let settled = 0;
  for await (const answer of naru.queues.consume(steps)) {
    for (const s of answer.settled) equal(s.error, undefined, `the end of ${s.delivery}`);
    settled += answer.settled.length;
    for (const m of answer.messages) hand.add(m.delivery);
    holds(hand.size <= 10, `${hand.size} in hand with a credit of 10`);
    got.push(...answer.messages);
    if (hand.size) {
      steps.push({ ack: [...hand] });
      hand.clear();
    }
    if (settled === 300) steps.end();
  }
  equal(texts(got).map(Number).sort((a, b) => a - b), Array.from({ length: 300 }, (_, i) => i), "each once");
  equal((await naru.queues.getQueue({ queue: name })).stats?.acked, 300n, "acked");
}

// What is unsettled when the stream ends is there again at once.
async function givesBack(naru: Naru): Promise<void> {
  const name = await queue(naru, { lease: { seconds: 600n } });
  await send(naru, name, "가", "나");
  const abort = new AbortController();
  const steps = new Pushed<Step>();
  steps.push({ queue: name, credit: 2 });
  let n = 0;
  for await (const answer of naru.queues.consume(steps, { signal: abort.signal })) if ((n += answer.messages.length) === 2) break;
  abort.abort();
  steps.end();
  const got = await take(naru, name, 2);
  equal([texts(got).sort(), got.map((m) => m.attempts)], [["가", "나"], [2, 2]], "given back");
}

async function errors(naru: Naru): Promise<void> {
  const first = async (step: Step) => {
    const steps = new Pushed<Step>();
    steps.push(step);
    for await (const answer of naru.queues.consume(steps)) return answer;
  };
  await fails(Code.NotFound, () => first({ queue: "no-such", credit: 1 }));
  await fails(Code.InvalidArgument, () => first({ credit: 1 }));
}

export async function consumeChecks(suite: Suite, name: string, naru: Naru): Promise<void> {
  await suite.run(`${name}: Consume with credit`, () => credit(naru));
  await suite.run(`${name}: Consume gives back`, () => givesBack(naru));
  await suite.run(`${name}: errors of Consume`, () => errors(naru));
}
