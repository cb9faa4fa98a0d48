"""Named checks with a closing count, and the stubs that they share."""

import itertools
import os
import queue
import sys
import time
import traceback

import grpc
from google.protobuf.duration_pb2 import Duration
from naru.v1 import (calls_pb2, calls_pb2_grpc, groups_pb2, groups_pb2_grpc, queues_pb2, queues_pb2_grpc, records_pb2,
                     system_pb2, system_pb2_grpc, topics_pb2, topics_pb2_grpc)

_serial = itertools.count()


class Suite:
    """Counts checks. A check is a function that raises when it fails."""

    def __init__(self, name, only=""):
        self.name, self.only = name, only
        self.passed = self.failed = 0

    def run(self, title, check, *args):
        if self.only not in title:
            return
        start = time.monotonic()
        try:
            check(*args)
        except Exception as e:  # every failure is counted, whatever it is
            self.failed += 1
            why = f"{e.code().name}: {e.details()}" if isinstance(e, grpc.RpcError) else f"{type(e).__name__}: {e}"
            print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {short(why)}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            self.passed += 1
            print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)

    def finish(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class Naru:
    """A channel to the server, with a stub of each service."""

    def __init__(self, target):
        self.target = target
        # No proxy of the environment, and a connection of its own.
        self.options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(target, self.options)
        self.topics = topics_pb2_grpc.TopicServiceStub(self.channel)
        self.queues = queues_pb2_grpc.QueueServiceStub(self.channel)
        self.groups = groups_pb2_grpc.GroupServiceStub(self.channel)
        self.calls = calls_pb2_grpc.CallServiceStub(self.channel)
        self.system = system_pb2_grpc.SystemServiceStub(self.channel)

    def topic(self, partitions=1, **settings):
        name = unique("t")
        self.topics.CreateTopic(topics_pb2.CreateTopicRequest(topic=name, partitions=partitions, settings=settings))
        return name

    def produce(self, topic, *records):
        """Appends records; the results, none of which is an error."""
        out = self.topics.Produce(topics_pb2.ProduceRequest(topic=topic, records=records), timeout=30).results
        equal(len(out), len(records), "results")
        for r in out:
            holds(not r.HasField("error"), f"error {r.error.code} {r.error.message}")
        return out

    def read(self, topic, n, **more):
        """Reads on by the cursor until n records came."""
        out, cursor = [], ""
        while len(out) < n:
            if cursor:
                more.pop("from", None)
            answer = self.topics.Read(topics_pb2.ReadRequest(topic=topic, cursor=cursor, wait=seconds(5), **more), timeout=30)
            holds(answer.records, f"nothing after {len(out)} of {n} records")
            out += answer.records
            cursor = answer.cursor
        equal(len(out), n, "records")
        return out

    def queue(self, **settings):
        name = unique("q")
        self.queues.CreateQueue(queues_pb2.CreateQueueRequest(queue=name, settings=queues_pb2.NewQueueSettings(**settings)))
        return name

    def send(self, queue, *messages):
        out = self.queues.Send(queues_pb2.SendRequest(queue=queue, messages=[message(m) for m in messages]), timeout=30).results
        equal(len(out), len(messages), "results")
        for r in out:
            holds(not r.HasField("error"), f"error {r.error.code} {r.error.message}")
        return out

    def receive(self, queue, max_messages=10, wait=0, **more):
        """One receive; the messages."""
        request = queues_pb2.ReceiveRequest(queue=queue, max_messages=max_messages, wait=seconds(wait), **more)
        return list(self.queues.Receive(request, timeout=30).messages)

    def take(self, queue, n, limit=30, **more):
        """Receives until n messages came, and fails if they do not."""
        out, end = [], time.monotonic() + limit
        while len(out) < n:
            holds(time.monotonic() < end, f"{len(out)} of {n} messages after {limit} s")
            out += self.receive(queue, n - len(out), wait=1, **more)
        return out

    def nothing(self, queue, wait=0.3):
        equal([m.text for m in self.receive(queue, wait=wait)], [], "messages that should not come")

    def ack(self, queue, *messages):
        answer = self.queues.Ack(queues_pb2.AckRequest(queue=queue, deliveries=[m.delivery for m in messages]), timeout=30)
        equal([s.delivery for s in answer.results], [m.delivery for m in messages], "settled")
        for s in answer.results:
            holds(not s.HasField("error"), f"error {s.error.code} {s.error.message}")

    def stats(self, queue):
        return self.queues.GetQueue(queues_pb2.GetQueueRequest(queue=queue)).stats


class Steps:
    """The requests of a stream, put one by one."""

    def __init__(self, *first):
        self.waiting = queue.SimpleQueue()
        for step in first:
            self.put(step)

    def put(self, step):
        self.waiting.put(step)

    def end(self):
        self.waiting.put(None)

    def __iter__(self):
        return iter(self.waiting.get, None)


def message(m):
    return records_pb2.NewMessage(text=m) if isinstance(m, str) else m


def record(text, **more):
    return records_pb2.NewRecord(text=text, **more)


def seconds(n):
    d = Duration()
    d.FromMilliseconds(int(n * 1000))
    return d


def unique(prefix):
    return f"{prefix}-py-{os.getpid()}-{time.time_ns() % 10**10}-{next(_serial)}"


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def holds(condition, why):
    if not condition:
        raise AssertionError(why)


def fails(codes, call, *args, **more):
    """Expects the call to fail with one of the codes; the error's text."""
    codes = codes if isinstance(codes, tuple) else (codes,)
    try:
        answer = call(*args, timeout=more.pop("timeout", 30), **more)
    except grpc.RpcError as e:
        holds(e.code() in codes, f"{e.code().name} ({e.details()}), want {' or '.join(c.name for c in codes)}")
        holds(e.details(), "an error without a message")
        return e.details()
    raise AssertionError(f"answered {short(str(answer))!r}, want {' or '.join(c.name for c in codes)}")


def eventually(check, limit=30):
    """Tries a check until it holds."""
    end = time.monotonic() + limit
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def short(s):
    s = " ".join(s.split())
    return s if len(s) < 400 else s[:400] + "…"
