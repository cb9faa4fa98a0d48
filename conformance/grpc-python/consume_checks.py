"""Consume: deliveries down, settlements and credit up, over one stream."""

import time

import grpc
from naru.v1 import queues_pb2

from harness import Steps, equal, eventually, fails, holds, seconds

Step = queues_pb2.ConsumeRequest
Code = grpc.StatusCode


class Consumer:
    """A stream, and what of it is in hand."""

    def __init__(self, naru, queue, credit, **more):
        self.steps = Steps(Step(queue=queue, credit=credit, **more))
        self.stream = naru.queues.Consume(iter(self.steps), timeout=60)
        self.hand, self.most, self.settled = {}, 0, []

    def next(self):
        """One answer; the messages in it."""
        answer = next(self.stream)
        for m in answer.messages:
            self.hand[m.delivery] = m
        self.most = max(self.most, len(self.hand))
        for s in answer.settled:
            holds(not s.HasField("error"), f"{s.delivery}: {s.error.code} {s.error.message}")
            self.settled.append(s.delivery)
        return list(answer.messages)

    def take(self, n):
        """Reads on until n are in hand."""
        while len(self.hand) < n:
            self.next()
        return list(self.hand.values())

    def settle(self, **what):
        # What is sent to be settled is out of hand: its credit is given back with it.
        for deliveries in what.values():
            for d in deliveries:
                del self.hand[d]
        self.steps.put(Step(**what))

    def confirmed(self, n):
        while len(self.settled) < n:
            self.next()

    def end(self):
        self.steps.end()
        for _ in self.stream:
            pass


def credit(naru):
    """1,000 messages, ten at a time, never more in hand."""
    name = naru.queue()
    for start in range(0, 1000, 100):
        naru.send(name, *(str(i) for i in range(start, start + 100)))
    c, got = Consumer(naru, name, 10), []
    while len(got) < 1000:
        c.take(1)
        got += [m.text for m in c.hand.values()]
        c.settle(ack=list(c.hand))
    c.confirmed(1000)
    holds(c.most <= 10, f"{c.most} in hand with a credit of 10")
    equal(sorted(map(int, got)), list(range(1000)), "each once")
    s = naru.stats(name)
    equal((s.ready, s.in_flight, s.acked), (0, 0, 1000), "ready, in flight, acked")
    c.end()


def no_credit(naru):
    """Nothing comes beyond the credit, and more credit brings more."""
    name = naru.queue()
    naru.send(name, *(str(i) for i in range(10)))
    c = Consumer(naru, name, 3)
    c.take(3)
    time.sleep(0.3)  # time for what must not come
    s = naru.stats(name)
    equal((s.in_flight, s.ready), (3, 7), "in flight, ready")
    c.steps.put(Step(credit=2))
    c.take(5)
    equal(naru.stats(name).in_flight, 5, "in flight with two more")
    c.end()


def gives_back(naru):
    """What is unsettled when the stream ends, or breaks, is there again at once."""
    name = naru.queue(lease=seconds(600))
    naru.send(name, "a", "b", "c")
    c = Consumer(naru, name, 3)
    first = c.take(3)
    c.settle(ack=[first[0].delivery])
    c.confirmed(1)
    c.end()
    again = naru.take(name, 2)
    equal(sorted(m.text for m in again), sorted(m.text for m in first[1:]), "given back at the end")
    for m in again:
        naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=m.delivery))
    c = Consumer(naru, name, 3)
    c.take(2)
    c.stream.cancel()
    equal(len(naru.take(name, 2)), 2, "given back after a cancel")


def settle(naru):
    """nack, reject and extend in one step."""
    dead = naru.queue()
    name = naru.queue(dead_letter=dead)
    naru.send(name, "again", "hopeless", "longer")
    c = Consumer(naru, name, 3)
    by = {m.text: m for m in c.take(3)}
    del c.hand[by["again"].delivery], c.hand[by["hopeless"].delivery]
    c.steps.put(Step(nack=[by["again"].delivery], reject=[by["hopeless"].delivery], extend=[by["longer"].delivery]))
    c.take(2)
    again = next(m for m in c.hand.values() if m.text == "again")
    equal((again.id, again.attempts), (by["again"].id, 2), "after nack")
    equal([m.text for m in naru.take(dead, 1)], ["hopeless"], "after reject")
    c.settle(ack=list(c.hand))
    c.confirmed(5)
    c.end()
    eventually(lambda: equal((naru.stats(name).ready, naru.stats(name).in_flight), (0, 0), "left"))


def waits(naru):
    """A message that comes later is pushed."""
    name = naru.queue()
    c = Consumer(naru, name, 1)
    for i in range(20):
        naru.send(name, str(i))
        [m] = c.take(1)
        equal(m.text, str(i))
        c.settle(ack=[m.delivery])
    c.confirmed(20)
    c.end()


def two(naru):
    """Two consumers share a queue; each message goes to one of them."""
    name = naru.queue()
    one, other = Consumer(naru, name, 5), Consumer(naru, name, 5)
    naru.send(name, *(str(i) for i in range(10)))
    texts = [m.text for c in (one, other) for m in c.take(5)]
    equal(sorted(map(int, texts)), list(range(10)), "each once")
    one.end()
    other.settle(ack=list(other.hand))
    other.take(5)
    equal(sorted(map(int, texts[:5])), sorted(int(m.text) for m in other.hand.values()), "what the first gave back")
    other.end()


def errors(naru):
    name = naru.queue()

    def first(*steps, timeout):
        return next(naru.queues.Consume(iter(steps), timeout=timeout))

    fails(Code.NOT_FOUND, first, Step(queue="no-such", credit=1))
    fails(Code.INVALID_ARGUMENT, first, Step(credit=1))
    fails(Code.INVALID_ARGUMENT, first, Step(queue=name, credit=-1))
    answer = first(Step(queue=name, credit=1), Step(ack=["nonsense"]), timeout=30)
    equal([(s.delivery, s.HasField("error")) for s in answer.settled], [("nonsense", True)], "a delivery that is none")


def run(suite, naru):
    suite.run("Consume: 1,000 messages, never more than the credit", credit, naru)
    suite.run("Consume: nothing without credit", no_credit, naru)
    suite.run("Consume: what is unsettled comes back at once", gives_back, naru)
    suite.run("Consume: nack, reject, extend", settle, naru)
    suite.run("Consume: pushes what comes later", waits, naru)
    suite.run("Consume: two on one queue", two, naru)
    suite.run("Consume: errors", errors, naru)
