// Named checks with a closing count, and small tools that the checks share.
import { isDeepStrictEqual } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";

let serial = 0;

// Suite counts checks. A check is a function that throws when it fails.
export class Suite {
  passed = 0;
  failed = 0;

  constructor(readonly name: string, readonly only: string) {}

  async run(title: string, check: () => Promise<void>): Promise<void> {
    if (!title.includes(this.only)) return;
    const start = performance.now();
    const took = () => `(${((performance.now() - start) / 1000).toFixed(1)}s)`;
    try {
      await within(60_000, check());
      this.passed++;
      console.log(`ok   ${title} ${took()}`);
    } catch (e) {
      this.failed++;
      console.log(`FAIL ${title} ${took()}: ${e instanceof Error ? e.message : String(e)}`);
      console.error(e);
    }
  }

  finish(): number {
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`);
    return this.failed || !this.passed ? 1 : 0;
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, refuse) => {
    timer = setTimeout(() => refuse(new Error(`not done after ${ms} ms`)), ms);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const unique = (prefix: string) => `${prefix}-ts-${process.pid}-${Date.now() % 1e8}-${serial++}`;

// plain makes of integers of 64 bits and of bytes what JSON can show.
function plain(v: unknown): unknown {
  if (typeof v === "bigint") return `${v}n`;
  if (v instanceof Uint8Array) return `bytes ${Buffer.from(v).toString("hex")}`;
  return Array.isArray(v) ? v.map(plain) : v;
}

function show(v: unknown): string {
  const text = JSON.stringify(plain(v), (_, x) => (typeof x === "bigint" ? `${x}n` : x)) ?? "nothing";
  return text.length < 400 ? text : text.slice(0, 400) + "…";
}

// equal compares by value; integers of 64 bits and bytes too.
export function equal(got: unknown, want: unknown, what = "value"): void {
  if (!isDeepStrictEqual(plain(got), plain(want))) throw new Error(`${what}: got ${show(got)}, want ${show(want)}`);
}

export function holds(condition: unknown, why: string): asserts condition {
  if (!condition) throw new Error(why);
}

// fails expects a call to fail with a code.
export async function fails(code: Code, call: () => Promise<unknown>): Promise<ConnectError> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (e) {
    const error = ConnectError.from(e);
    holds(error.code === code, `${Code[error.code]} (${error.rawMessage}), want ${Code[code]}`);
    holds(error.rawMessage, "an error without a message");
    return error;
  }
  throw new Error(`answered ${show(answer)}, want ${Code[code]}`);
}

// Pushed is a list that is read as it grows: the requests of a stream.
export class Pushed<T> implements AsyncIterable<T> {
  private items: T[] = [];
  private ended = false;
  private wake = () => {};

  push(item: T): void {
    this.items.push(item);
    this.wake();
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.items.length) yield this.items.shift()!;
      if (this.ended) return;
      await new Promise<void>((woken) => (this.wake = woken));
    }
  }
}
