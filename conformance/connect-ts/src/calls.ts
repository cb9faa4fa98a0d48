// Request and Reply, Collect, reply channels.
import { Code } from "@connectrpc/connect";
import { equal, fails, unique, type Suite } from "./harness.js";
import type { Naru } from "./main.js";
import { queue, take } from "./queues.js";

const text = (value: string) => ({ value: { case: "text" as const, value } });

async function request(naru: Naru): Promise<void> {
  const name = await queue(naru);
  const asking = Array.from({ length: 20 }, (_, i) => naru.calls.request({ queue: name, message: text(`질문 ${i}`), timeout: { seconds: 20n } }));
  const asked = await take(naru, name, 20);
  for (const m of asked.reverse())
    await naru.calls.reply({ replyTo: m.replyTo, correlationId: m.correlationId, message: text(`${m.value.value}, 답`) });
  const answers = await Promise.all(asking);
  equal(answers.map((a) => a.reply?.value.value), asking.map((_, i) => `질문 ${i}, 답`), "answers");
  await fails(Code.DeadlineExceeded, () => naru.calls.request({ queue: name, message: text("nobody"), timeout: { nanos: 200_000_000 } }));
}

async function collect(naru: Naru): Promise<void> {
  const { topic } = await naru.topics.createTopic({ topic: unique("t"), partitions: 1 });
  const replier = async (name: string) => {
    const abort = new AbortController();
    for await (const { records } of naru.topics.subscribe({ topic, from: "earliest" }, { signal: abort.signal })) {
      if (!records.length) continue;
      await naru.calls.reply({ replyTo: records[0].replyTo, correlationId: records[0].correlationId, message: text(name) });
      break;
    }
    abort.abort();
  };
  const repliers = Promise.all(["하나", "둘", "셋"].map(replier));
  const { replies } = await naru.calls.collect({ topic, record: text("?"), timeout: { seconds: 20n }, maxReplies: 3 });
  equal(replies.map((m) => m.value.value).sort(), ["둘", "셋", "하나"], "answers");
  await repliers;
}

async function channel(naru: Naru): Promise<void> {
  const client = unique("client");
  const { queue: opened } = await naru.calls.openReplyChannel({ client });
  await naru.calls.reply({ replyTo: opened, correlationId: "c", message: text("늦은 답") });
  const again = await naru.calls.openReplyChannel({ client });
  equal(again.queue, opened, "the channel, opened again");
  const [m] = await take(naru, opened, 1);
  equal([m.correlationId, m.value.value], ["c", "늦은 답"], "the answer");
}

export async function callChecks(suite: Suite, name: string, naru: Naru): Promise<void> {
  await suite.run(`${name}: 20 requests answered in another order`, () => request(naru));
  await suite.run(`${name}: Collect from three`, () => collect(naru));
  await suite.run(`${name}: a reply channel`, () => channel(naru));
}
