"""Queues: life, leases, order, priorities, dead letters, redrives."""

import grpc
from naru.v1 import queues_pb2, records_pb2, topics_pb2

from harness import equal, eventually, fails, holds, record, seconds, unique

Code = grpc.StatusCode
Message = records_pb2.NewMessage
KOREAN = "커피 한 잔 ☕"


def life(naru):
    name = unique("q")
    settings = queues_pb2.NewQueueSettings(lease=seconds(12), attempts_max=3, lanes=4)
    made = naru.queues.CreateQueue(queues_pb2.CreateQueueRequest(queue=name, settings=settings, tags={"팀": "나루"}))
    equal((made.queue, made.owned, dict(made.tags)), (name, True, {"팀": "나루"}), "made")
    got = naru.queues.GetQueue(queues_pb2.GetQueueRequest(queue=name))
    equal((got.settings.lease, got.settings.attempts_max, got.settings.lanes, got.settings.ordered), (seconds(12), 3, 4, False), "settings")
    update = queues_pb2.UpdateQueueRequest(queue=name, settings=queues_pb2.NewQueueSettings(lease=seconds(40)))
    got = naru.queues.UpdateQueue(update).settings
    equal((got.lease, got.attempts_max, got.lanes), (seconds(40), 3, 4), "one changed")
    equal([q.queue for q in naru.queues.ListQueues(queues_pb2.ListQueuesRequest(prefix=name)).queues], [name], "list")
    naru.queues.DeleteQueue(queues_pb2.DeleteQueueRequest(queue=name))
    fails(Code.NOT_FOUND, naru.queues.GetQueue, queues_pb2.GetQueueRequest(queue=name))


def round_trip(naru):
    name = naru.queue()
    binary = bytes(range(256))
    naru.send(name, Message(text=KOREAN, key_text="손님", headers=[records_pb2.Header(name="크기", text="큰 것")],
                            content_type="text/plain", reply_to="r", correlation_id="c"), Message(bytes=binary))
    text, raw = sorted(naru.take(name, 2), key=lambda m: m.offset)
    equal((text.text, text.key_text, text.content_type, text.reply_to, text.correlation_id, text.attempts),
          (KOREAN, "손님", "text/plain", "r", "c", 1), "text")
    holds(records_pb2.Header(name="크기", text="큰 것") in text.headers, f"headers {text.headers}")
    equal(raw.bytes, binary, "bytes")
    holds(text.id and text.delivery and text.id != raw.id, f"ids {text.id!r} {raw.id!r}")
    equal((naru.stats(name).in_flight, naru.stats(name).ready), (2, 0), "in flight, ready")
    naru.ack(name, text, raw)
    naru.nothing(name)
    s = naru.stats(name)
    equal((s.in_flight, s.ready, s.sent, s.received, s.acked), (0, 0, 2, 2, 2), "counts")


def priorities(naru):
    name = naru.queue(lanes=10)
    naru.send(name, *(Message(text=f"{p}", priority=p) for p in (0, 9, 5, 5, 1, 9)))
    equal([m.text for m in naru.take(name, 6)], ["9", "9", "5", "5", "1", "0"], "the highest first")


def nack(naru):
    name = naru.queue()
    naru.send(name, "again")
    [m] = naru.take(name, 1)
    naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=m.delivery))
    [again] = naru.take(name, 1)
    equal((again.id, again.attempts), (m.id, 2), "at once")
    holds(again.delivery != m.delivery, "the same delivery twice")
    naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=again.delivery, delay=seconds(5)))
    naru.nothing(name)
    equal(naru.stats(name).delayed, 1, "delayed")
    [third] = naru.take(name, 1)
    equal((third.id, third.attempts), (m.id, 3), "after the delay")


def reject(naru):
    dead = naru.queue()
    name = naru.queue(dead_letter=dead, attempts_max=2)
    naru.send(name, "hopeless", "unlucky")
    hopeless, unlucky = sorted(naru.take(name, 2), key=lambda m: m.offset)
    naru.queues.Reject(queues_pb2.RejectRequest(queue=name, delivery=hopeless.delivery))
    equal([m.text for m in naru.take(dead, 1)], ["hopeless"], "the rejected one")
    naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=unlucky.delivery))
    [unlucky] = naru.take(name, 1)
    naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=unlucky.delivery))
    naru.nothing(name)
    equal([m.text for m in naru.take(dead, 1)], ["unlucky"], "the one that had its attempts")
    equal(list(naru.queues.GetQueue(queues_pb2.GetQueueRequest(queue=dead)).dead_letter_sources), [name], "sources")


def redrive(naru):
    dead = naru.queue()
    name = naru.queue(dead_letter=dead)
    naru.send(name, *(str(i) for i in range(20)))
    messages = naru.take(name, 20)
    naru.queues.Reject(queues_pb2.RejectRequest(queue=name, deliveries=[m.delivery for m in messages]))
    eventually(lambda: equal(naru.stats(dead).ready, 20, "dead letters"))
    started = naru.queues.StartRedrive(queues_pb2.StartRedriveRequest(queue=dead))
    equal((started.queue, bool(started.id)), (dead, True), "the redrive")

    def done():
        [r] = naru.queues.ListRedrives(queues_pb2.ListRedrivesRequest(queue=dead)).redrives
        equal((r.id, r.state, r.moved), (started.id, "completed", 20), "the redrive at the end")

    eventually(done)
    equal(sorted(int(m.text) for m in naru.take(name, 20)), list(range(20)), "back where they came from")


def extend(naru):
    name = naru.queue(lease=seconds(5))
    naru.send(name, "kept", "lost")
    kept, lost = sorted(naru.take(name, 2), key=lambda m: m.offset)
    naru.queues.Extend(queues_pb2.ExtendRequest(queue=name, delivery=kept.delivery, lease=seconds(60)))
    [back] = naru.take(name, 1)
    equal((back.id, back.attempts), (lost.id, 2), "whose lease ended")
    naru.ack(name, kept, back)
    naru.nothing(name)


def delays(naru):
    name = naru.queue()
    naru.send(name, Message(text="later", delay=seconds(5)), Message(text="gone", expiry=seconds(0.2), delay=seconds(0.6)), "now")
    equal([m.text for m in naru.take(name, 1)], ["now"], "at once")
    equal([m.text for m in naru.take(name, 1)], ["later"], "after the delay")
    naru.nothing(name)


def ordered(naru):
    name = naru.queue(ordered=True)
    naru.send(name, *(Message(text=f"{k}{i}", key_text=k) for i in (1, 2) for k in "ab"))
    first = naru.take(name, 2)
    texts = [m.text for m in first]
    if len({m.key_text for m in first}) == 2:  # one of each key: the keys block
        equal(sorted(texts), ["a1", "b1"], "heads of the keys")
        naru.nothing(name)
    else:  # both of one key, in order
        holds(texts in (["a1", "a2"], ["b1", "b2"]), f"order {texts}")
    naru.ack(name, *first)
    rest = naru.take(name, 2)
    for k in "ab":
        equal([m.text for m in first + rest if m.key_text == k], [f"{k}1", f"{k}2"], f"order of {k}")


def dedup(naru):
    name = naru.queue(ordered=True, dedup="queue")
    [first] = naru.send(name, Message(text="once", key_text="k", dedup_id="d"))
    [again] = naru.send(name, Message(text="twice", key_text="k", dedup_id="d"))
    equal((again.duplicate, again.id), (True, first.id), "the duplicate")
    equal([m.text for m in naru.take(name, 1)], ["once"])


def view(naru):
    """A queue on a topic: what was produced is received, and the topic keeps it."""
    topic, name = naru.topic(), unique("view")
    made = naru.queues.CreateQueue(queues_pb2.CreateQueueRequest(queue=name, topic=topic))
    equal((made.topic, made.owned), (topic, False), "made")
    naru.produce(topic, record("both ways"))
    [m] = naru.take(name, 1)
    equal(m.text, "both ways")
    naru.ack(name, m)
    equal([r.text for r in naru.read(topic, 1)], ["both ways"], "still in the topic")
    fails(Code.FAILED_PRECONDITION, naru.topics.DeleteTopic, topics_pb2.DeleteTopicRequest(topic=topic))


def peek_purge(naru):
    name = naru.queue()
    naru.send(name, *(str(i) for i in range(15)))
    shown = naru.queues.Peek(queues_pb2.PeekRequest(queue=name, max_messages=12)).messages
    equal([(m.text, m.delivery) for m in shown], [(str(i), "") for i in range(12)], "shown")
    equal(naru.stats(name).ready, 15, "none of them leased")
    naru.queues.PurgeQueue(queues_pb2.PurgeQueueRequest(queue=name))
    naru.nothing(name)
    naru.send(name, "after")
    equal([m.text for m in naru.take(name, 1)], ["after"])


def long_poll(naru):
    name = naru.queue()
    waiting = naru.queues.Receive.future(queues_pb2.ReceiveRequest(queue=name, wait=seconds(20)), timeout=30)
    naru.send(name, "awake")
    equal([m.text for m in waiting.result().messages], ["awake"])


def idempotent(naru):
    name = naru.queue()
    request = queues_pb2.SendRequest(queue=name, messages=[Message(text="한 번만")])
    meta = [("idempotency-key", unique("key"))]
    first = naru.queues.Send(request, metadata=meta).results
    again = naru.queues.Send(request, metadata=meta).results
    equal([(r.id, r.duplicate) for r in again], [(first[0].id, True)], "the second answer")
    equal([m.text for m in naru.take(name, 1)], ["한 번만"])
    naru.nothing(name)


def errors(naru):
    q, name = naru.queues, naru.queue()
    holds("no-such" in fails(Code.NOT_FOUND, q.GetQueue, queues_pb2.GetQueueRequest(queue="no-such")), "the message names the queue")
    fails(Code.NOT_FOUND, q.Receive, queues_pb2.ReceiveRequest(queue="no-such"))
    fails(Code.NOT_FOUND, q.Send, queues_pb2.SendRequest(queue="no-such", messages=[Message(text="x")]))
    fails(Code.NOT_FOUND, q.DeleteQueue, queues_pb2.DeleteQueueRequest(queue="no-such"))
    fails(Code.NOT_FOUND, q.CreateQueue, queues_pb2.CreateQueueRequest(queue=unique("q"), topic="no-such"))
    fails(Code.NOT_FOUND, q.CancelRedrive, queues_pb2.CancelRedriveRequest(redrive="no-such"))
    for bad in ("", "with space", "x" * 250):
        fails(Code.INVALID_ARGUMENT, q.CreateQueue, queues_pb2.CreateQueueRequest(queue=bad))
    for bad in ({"lanes": 11}, {"lanes": -1}, {"dedup": "sometimes"}, {"attempts_max": -1}, {"lease": seconds(-5)}):
        fails(Code.INVALID_ARGUMENT, q.CreateQueue, queues_pb2.CreateQueueRequest(queue=unique("q"), settings=bad))
    fails(Code.ALREADY_EXISTS, q.CreateQueue, queues_pb2.CreateQueueRequest(queue=name, settings={"lanes": 3}))
    fails(Code.INVALID_ARGUMENT, q.Send, queues_pb2.SendRequest(queue=name))
    fails(Code.INVALID_ARGUMENT, q.Receive, queues_pb2.ReceiveRequest(queue=name, max_messages=1001))
    fails(Code.INVALID_ARGUMENT, q.Receive, queues_pb2.ReceiveRequest(queue=name, max_messages=-1))
    fails((Code.INVALID_ARGUMENT, Code.NOT_FOUND), q.Ack, queues_pb2.AckRequest(queue=name, delivery="nonsense"))
    fails(Code.INVALID_ARGUMENT, q.Ack, queues_pb2.AckRequest(queue=name))


def stale(naru):
    """A delivery that was given back cannot be settled; in a batch it alone is refused."""
    name = naru.queue(ordered=True)
    naru.send(name, Message(text="a", key_text="a"), Message(text="b", key_text="b"))
    a, b = naru.take(name, 2)
    naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=a.delivery))
    gone = Code.FAILED_PRECONDITION
    fails(gone, naru.queues.Extend, queues_pb2.ExtendRequest(queue=name, delivery=a.delivery, lease=seconds(10)))
    equal([m.id for m in naru.take(name, 1)], [a.id], "the next delivery")
    fails(gone, naru.queues.Extend, queues_pb2.ExtendRequest(queue=name, delivery=a.delivery, lease=seconds(10)))
    fails(gone, naru.queues.Nack, queues_pb2.NackRequest(queue=name, delivery=a.delivery))
    stale, good = naru.queues.Extend(queues_pb2.ExtendRequest(queue=name, deliveries=[a.delivery, b.delivery], lease=seconds(10))).results
    equal((stale.error.code, good.HasField("error")), ("failed_precondition", False), "the outcome of each")


def given_back(naru):
    """A message that was given back is for everybody, not for who had it."""
    name = naru.queue()
    naru.send(name, "a")
    [m] = naru.take(name, 1)
    naru.queues.Nack(queues_pb2.NackRequest(queue=name, delivery=m.delivery))
    fails(Code.FAILED_PRECONDITION, naru.queues.Extend, queues_pb2.ExtendRequest(queue=name, delivery=m.delivery, lease=seconds(10)))
    s = naru.stats(name)
    equal((s.ready, s.in_flight), (1, 0), "ready, in flight")


def run(suite, naru):
    suite.run("queues: create, change, list, delete", life, naru)
    suite.run("queues: send, receive, ack; Korean and bytes", round_trip, naru)
    suite.run("queues: priorities", priorities, naru)
    suite.run("queues: nack, now and after a delay", nack, naru)
    suite.run("queues: reject and attempts end in the dead letters", reject, naru)
    suite.run("queues: redrive of 20 dead letters", redrive, naru)
    suite.run("queues: a lease that is extended, and one that ends", extend, naru)
    suite.run("queues: delay and expiry", delays, naru)
    suite.run("queues: order within a key", ordered, naru)
    suite.run("queues: dedup id", dedup, naru)
    suite.run("queues: a view on a topic", view, naru)
    suite.run("queues: peek and purge", peek_purge, naru)
    suite.run("queues: a receive that waits", long_poll, naru)
    suite.run("queues: Idempotency-Key", idempotent, naru)
    suite.run("queues: stale deliveries", stale, naru)
    suite.run("queues: a delivery that was given back", given_back, naru)
    suite.run("queues: errors and their codes", errors, naru)
