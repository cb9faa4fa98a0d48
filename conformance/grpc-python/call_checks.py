"""Calls that need answers: Request, Reply, Collect, reply channels."""

import asyncio
import os
import random
import threading

import grpc
from naru.v1 import calls_pb2, calls_pb2_grpc, queues_pb2, queues_pb2_grpc, records_pb2, topics_pb2

from harness import equal, eventually, fails, holds, message, record, seconds, unique

Code = grpc.StatusCode
CALLS, IN_FLIGHT, RESPONDERS = 10_000, 50, 2
# A call is two appends, one after the other, each of which waits for a flush in a cluster.
PATIENCE = 300 if os.environ.get("BROKERS", "1") == "1" else 900


def stats(naru):
    return naru.calls.GetReplyStats(calls_pb2.GetReplyStatsRequest())


def reply(naru, to, text, **more):
    return naru.calls.Reply(calls_pb2.ReplyRequest(reply_to=to.reply_to, correlation_id=to.correlation_id,
                                                   message=records_pb2.NewMessage(text=text, **more)), timeout=30)


def request(naru):
    name = naru.queue()
    call = naru.calls.Request.future(calls_pb2.RequestRequest(queue=name, message=message("몇 시?"), timeout=seconds(20)), timeout=30)
    [m] = naru.take(name, 1)
    holds(m.text == "몇 시?" and m.reply_to and m.correlation_id, f"the request {m}")
    reply(naru, m, "세 시", content_type="text/plain", headers=[records_pb2.Header(name="zone", text="KST")])
    naru.ack(name, m)
    answer = call.result().reply
    equal((answer.text, answer.content_type), ("세 시", "text/plain"), "the answer")
    equal([h.text for h in answer.headers if h.name == "zone"], ["KST"], "its header")


def late(naru):
    """An answer after the timeout is counted and dropped; the next call has its own."""
    name = naru.queue()
    before = stats(naru)
    call = naru.calls.Request.future(calls_pb2.RequestRequest(queue=name, message=message("slow"), timeout=seconds(5)), timeout=30)
    [m] = naru.take(name, 1)
    fails(Code.DEADLINE_EXCEEDED, call.result)
    reply(naru, m, "too late")
    eventually(lambda: equal(stats(naru).late, before.late + 1, "late answers"))
    naru.ack(name, m)
    call = naru.calls.Request.future(calls_pb2.RequestRequest(queue=name, message=message("again"), timeout=seconds(20)), timeout=30)
    [m] = naru.take(name, 1)
    reply(naru, m, "in time")
    equal(call.result().reply.text, "in time")
    equal(stats(naru).waiting, before.waiting, "calls that wait")


def foreign(naru):
    """An answer with a correlation id that nobody waits for reaches nobody."""
    name = naru.queue()
    call = naru.calls.Request.future(calls_pb2.RequestRequest(queue=name, message=message("q"), timeout=seconds(20)), timeout=30)
    [m] = naru.take(name, 1)
    for wrong in ("nonsense", m.correlation_id + "0", m.correlation_id[:-1]):
        try:
            naru.calls.Reply(calls_pb2.ReplyRequest(reply_to=m.reply_to, correlation_id=wrong, message=message("wrong")), timeout=30)
        except grpc.RpcError as e:
            holds(e.code() in (Code.NOT_FOUND, Code.INVALID_ARGUMENT), f"{e.code().name}: {e.details()}")
    holds(not call.done(), "a wrong answer ended the call")
    reply(naru, m, "right")
    equal(call.result().reply.text, "right")


def own_queue(naru):
    """The queue where the server takes answers is nobody else's."""
    name = naru.queue()
    call = naru.calls.Request.future(calls_pb2.RequestRequest(queue=name, message=message("q"), timeout=seconds(20)), timeout=30)
    [m] = naru.take(name, 1)
    own = m.reply_to
    fails(Code.NOT_FOUND, naru.queues.Receive, queues_pb2.ReceiveRequest(queue=own))
    fails(Code.NOT_FOUND, naru.queues.PurgeQueue, queues_pb2.PurgeQueueRequest(queue=own))
    fails(Code.NOT_FOUND, naru.queues.DeleteQueue, queues_pb2.DeleteQueueRequest(queue=own))
    holds(own not in [q.queue for q in naru.queues.ListQueues(queues_pb2.ListQueuesRequest()).queues], f"{own} is listed")
    reply(naru, m, "arrives")
    equal(call.result().reply.text, "arrives")


def channel(naru):
    """Asynchronous replies: they wait in the channel for a client that was away."""
    work, client = naru.queue(), unique("client")
    opened = naru.calls.OpenReplyChannel(calls_pb2.OpenReplyChannelRequest(client=client)).queue
    naru.send(work, *(records_pb2.NewMessage(text=f"일 {i}", reply_to=opened, correlation_id=f"c{i}") for i in range(10)))
    for m in naru.take(work, 10):
        equal(m.reply_to, opened, "reply_to")
        reply(naru, m, f"{m.text} 끝")
        naru.ack(work, m)
    with grpc.insecure_channel(naru.target, naru.options) as anew:  # the client, started again
        again = calls_pb2_grpc.CallServiceStub(anew).OpenReplyChannel(calls_pb2.OpenReplyChannelRequest(client=client)).queue
        equal(again, opened, "the channel, opened again")
        got = naru.take(again, 10)
    equal({m.correlation_id: m.text for m in got}, {f"c{i}": f"일 {i} 끝" for i in range(10)}, "answers")
    naru.ack(opened, *got)


class Replier(threading.Thread):
    """Subscribes to a topic and answers the first record when it is told to."""

    def __init__(self, naru, topic, name):
        super().__init__(daemon=True)
        self.naru, self.name_of, self.go, self.failure = naru, name, threading.Event(), None
        self.stream = naru.topics.Subscribe(topics_pb2.SubscribeRequest(topic=topic, **{"from": "earliest"}), timeout=60)

    def run(self):
        try:
            record = next(a for a in self.stream if a.records).records[0]
            if self.go.wait(30):
                reply(self.naru, record, self.name_of)
        except Exception as e:
            self.failure = e
        finally:
            self.stream.cancel()


def collect(naru):
    """Four of five answer in time, and one after the deadline, which is counted."""
    topic, before = naru.topic(), stats(naru)
    repliers = [Replier(naru, topic, f"가게 {i}") for i in range(5)]
    for r in repliers:
        r.start()
        r.go.set()
    slow = repliers[4]
    slow.go.clear()
    answer = naru.calls.Collect(calls_pb2.CollectRequest(topic=topic, record=record("얼마?"), timeout=seconds(8)), timeout=30)
    equal(sorted(m.text for m in answer.replies), [f"가게 {i}" for i in range(4)], "answers")
    slow.go.set()
    for r in repliers:
        r.join(30)
        holds(not r.failure, f"{r.name_of}: {r.failure}")
    eventually(lambda: equal(stats(naru).late, before.late + 1, "late answers"))


def enough(naru):
    """With max_replies it answers as soon as there are so many; nobody is fine too."""
    topic = naru.topic()
    repliers = [Replier(naru, topic, str(i)) for i in range(3)]
    for r in repliers:
        r.start()
        r.go.set()
    answer = naru.calls.Collect(calls_pb2.CollectRequest(topic=topic, record=record("?"), timeout=seconds(60), max_replies=2), timeout=50)
    equal(len(answer.replies), 2, "answers")
    for r in repliers:
        r.join(30)
    lonely = naru.calls.Collect(calls_pb2.CollectRequest(topic=naru.topic(), record=record("?"), timeout=seconds(0.2)), timeout=20)
    equal(len(lonely.replies), 0, "answers of nobody")


def errors(naru):
    c, name = naru.calls, naru.queue()
    fails(Code.NOT_FOUND, c.Request, calls_pb2.RequestRequest(queue="no-such", message=message("x")))
    fails(Code.INVALID_ARGUMENT, c.Request, calls_pb2.RequestRequest(queue=name, message=message("x"), timeout=seconds(301)))
    fails(Code.INVALID_ARGUMENT, c.Request, calls_pb2.RequestRequest(queue=name, message=message("x"), timeout=seconds(-1)))
    fails(Code.INVALID_ARGUMENT, c.Request, calls_pb2.RequestRequest(queue=name))
    fails(Code.NOT_FOUND, c.Reply, calls_pb2.ReplyRequest(reply_to="no-such", correlation_id="c", message=message("x")))
    fails(Code.INVALID_ARGUMENT, c.Reply, calls_pb2.ReplyRequest(correlation_id="c", message=message("x")))
    for bad in ("", "two words", "a/b", "나루"):
        fails(Code.INVALID_ARGUMENT, c.OpenReplyChannel, calls_pb2.OpenReplyChannelRequest(client=bad))
    fails(Code.INVALID_ARGUMENT, c.Collect, calls_pb2.CollectRequest(topic=naru.topic(), record=record("?"), max_replies=-1))


def load(naru):
    """Two callers with 10,000 calls each at once; no answer reaches the other."""
    name, before = naru.queue(), stats(naru)
    print(f"     {asyncio.run(play(naru, name))}", flush=True)
    after = stats(naru)
    equal((after.delivered - before.delivered, after.late - before.late, after.waiting), (2 * CALLS, 0, before.waiting), "delivered, late, waiting")
    s = naru.stats(name)
    equal((s.acked, s.ready, s.in_flight), (2 * CALLS, 0, 0), "requests acked, ready, in flight")


async def play(naru, name):
    """Callers and responders have a connection each."""
    channels = [grpc.aio.insecure_channel(naru.target, naru.options) for _ in range(2 + RESPONDERS)]
    stop, clock = asyncio.Event(), asyncio.get_running_loop().time
    responders = [asyncio.create_task(respond(c, name, stop)) for c in channels[2:]]
    start = clock()
    callers = asyncio.gather(*(caller(c, name, who) for c, who in zip(channels, ("왼쪽", "right"))))
    await asyncio.wait([callers, *responders], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    if not callers.done():
        callers.cancel()
        for r in responders:
            if r.done():
                r.result()
        raise AssertionError("the calls did not end in time")
    await callers
    took = clock() - start
    stop.set()
    answered = await asyncio.gather(*responders)
    for c in channels:
        await c.close()
    equal(sum(answered), 2 * CALLS, "requests that were answered")
    return f"{2 * CALLS} calls, {2 * CALLS / took:.0f} a second"


async def caller(channel, name, who):
    stub, numbers = calls_pb2_grpc.CallServiceStub(channel), iter(range(CALLS))

    async def one_by_one():
        for i in numbers:
            asked = f"{who}-{i}"
            answer = await stub.Request(calls_pb2.RequestRequest(queue=name, message=message(asked), timeout=seconds(60)), timeout=90)
            equal(answer.reply.text, f"answer to {asked}", "the answer")

    await asyncio.gather(*(one_by_one() for _ in range(IN_FLIGHT)))


async def respond(channel, name, stop):
    """Takes requests from a stream and answers them in another order."""
    calls = calls_pb2_grpc.CallServiceStub(channel)
    steps, answered, draw, tasks = asyncio.Queue(), 0, random.Random(7), set()
    steps.put_nowait(queues_pb2.ConsumeRequest(queue=name, credit=64))

    async def up():
        while (step := await steps.get()) is not None:
            yield step

    async def answer(m):
        nonlocal answered
        await calls.Reply(calls_pb2.ReplyRequest(reply_to=m.reply_to, correlation_id=m.correlation_id,
                                                 message=message(f"answer to {m.text}")), timeout=60)
        answered += 1
        steps.put_nowait(queues_pb2.ConsumeRequest(ack=[m.delivery]))

    async def down():
        async for got in queues_pb2_grpc.QueueServiceStub(channel).Consume(up()):
            batch = list(got.messages)
            draw.shuffle(batch)
            for m in batch:
                task = asyncio.create_task(answer(m))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    reading = asyncio.create_task(down())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([reading, stopped], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*tasks)
    steps.put_nowait(None)  # the acknowledgements before it are done before the stream ends
    stopped.cancel()
    await reading
    return answered


def run(suite, naru):
    suite.run("calls: Request and Reply", request, naru)
    suite.run("calls: an answer that comes too late", late, naru)
    suite.run("calls: a foreign correlation id", foreign, naru)
    suite.run("calls: the server's own reply queue", own_queue, naru)
    suite.run("calls: a reply channel across a restart of its client", channel, naru)
    suite.run("calls: Collect, with one who is late", collect, naru)
    suite.run("calls: Collect, until there are enough", enough, naru)
    suite.run("calls: errors and their codes", errors, naru)
    suite.run("calls: two callers, 10,000 calls each", load, naru)
