"""Consumers: how they start, what they are sent, how they end."""

import socket

from pika import spec

from harness import bodies, check, consume, counts, cut_off, equal, get, holds, publish, quiet, refused, send, settled, until


@check("consuming: delivery says its tag, exchange and key")
def tags(t):
    c = t.connection()
    ch = c.channel()
    q = t.queue(ch)
    got = consume(ch, q, consumer_tag="mine")
    equal(got.tag, "mine")
    publish(ch, q, b"x")
    until(ch, lambda: got, "a delivery")
    method, _, _ = got[0]
    equal((method.consumer_tag, method.delivery_tag, method.redelivered, method.exchange, method.routing_key), ("mine", 1, False, "", q))


@check("consuming: a tag used twice closes the connection")
def tag_twice(t):
    ch = t.channel()
    q = t.queue(ch)
    consume(ch, q, consumer_tag="mine")
    ch._impl._send_method(spec.Basic.Consume(queue=q, consumer_tag="mine"))
    cut_off(530, "^NOT_ALLOWED - attempt to reuse consumer tag 'mine'", ch.queue_declare, "", exclusive=True)


@check("consuming: from no queue")
def no_queue(t):
    name = t.name()
    refused(404, f"^NOT_FOUND - no queue '{name}' in vhost '/'", t.channel().basic_consume, name, print)
    refused(404, f"^NOT_FOUND - no queue '{name}' in vhost '/'", t.channel().basic_get, name)


@check("consuming: delivery tags count up per channel")
def delivery_tags(t):
    ch = t.channel()
    q, r = t.queue(ch), t.queue(ch)
    one, two = consume(ch, q), consume(ch, r)
    publish(ch, q, b"1", b"2")
    publish(ch, r, b"3")
    until(ch, lambda: len(one) + len(two) == 3, "three deliveries")
    equal(sorted(m.delivery_tag for m, _, _ in one + two), [1, 2, 3])
    publish(ch, r, b"4")
    other = t.channel()
    publish(other, t.queue(other), b"x")
    until(ch, lambda: len(two) == 2, "the fourth")
    equal(two[1][0].delivery_tag, 4)


@check("consuming: several consumers share a queue evenly")
def share(t):
    ch = t.channel()
    q = t.queue(ch)
    got = [consume(ch, q, auto_ack=True) for _ in range(4)]
    publish(ch, q, *[str(i).encode() for i in range(200)])
    until(ch, lambda: sum(map(len, got)) == 200, "200 deliveries")
    equal(sorted(int(b) for g in got for b in g.bodies()), list(range(200)))
    holds(min(map(len, got)) >= 20, f"shares {list(map(len, got))}")


@check("consuming: cancel stops deliveries, what is unacknowledged stays ours")
def cancel(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(ch, durable=True)
    got = consume(ch, q)
    publish(ch, q, b"1")
    until(ch, lambda: got, "a delivery")
    ch.basic_cancel(got.tag)
    publish(ch, q, b"2")
    quiet(ch, got)
    settled(other, q, 1)
    equal(counts(other, q), (1, 0))
    ch.basic_ack(got[0][0].delivery_tag)
    equal(bodies(other, q, 1), [b"2"])


@check("consuming: the client hears that its queue was deleted")
def cancelled(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(other, durable=True)
    heard = []
    ch.add_on_cancel_callback(lambda frame: heard.append(frame.method.consumer_tag))
    got = consume(ch, q)
    other.queue_delete(q)
    until(ch, lambda: heard, "basic.cancel")
    equal(heard, [got.tag])
    ch.queue_declare("", exclusive=True)


@check("consuming: exclusive is the only one")
def exclusive(t):
    ch, other = t.channel(), t.connection()
    q = t.queue(ch, durable=True)
    got = consume(ch, q, exclusive=True)
    refused(403, f"^ACCESS_REFUSED - queue '{q}' in vhost '/' in exclusive use", other.channel().basic_consume, q, print)
    publish(ch, q, b"1")
    until(ch, lambda: got, "a delivery")
    ch.basic_cancel(got.tag)
    two = other.channel()
    consume(two, q)
    refused(403, f"^ACCESS_REFUSED - queue '{q}' in vhost '/' in exclusive use", other.channel().basic_consume, q, print, exclusive=True)


@check("consuming: prefetch of each consumer")
def prefetch(t):
    ch = t.channel()
    q, r = t.queue(ch), t.queue(ch)
    publish(ch, q, *[str(i).encode() for i in range(20)])
    publish(ch, r, *[str(i).encode() for i in range(20)])
    ch.basic_qos(prefetch_count=3)
    one, two = consume(ch, q), consume(ch, r)
    until(ch, lambda: len(one) == 3 and len(two) == 3, "three each")
    quiet(ch, one)
    quiet(ch, two)
    ch.basic_ack(one[0][0].delivery_tag)
    until(ch, lambda: len(one) == 4, "one more")
    quiet(ch, two)
    ch.basic_nack(one[1][0].delivery_tag, requeue=True)
    until(ch, lambda: len(one) == 5, "the one requeued")
    equal((one[4][2], one[4][0].redelivered), (one[1][2], True))


@check("consuming: prefetch of the channel, shared by its consumers")
def global_prefetch(t):
    ch = t.channel()
    q, r = t.queue(ch), t.queue(ch)
    publish(ch, q, *[b"q"] * 20)
    publish(ch, r, *[b"r"] * 20)
    ch.basic_qos(prefetch_count=5, global_qos=True)
    one, two = consume(ch, q), consume(ch, r)
    until(ch, lambda: len(one) + len(two) == 5, "five in all")
    quiet(ch, one)
    equal(len(one) + len(two), 5)
    ch.basic_ack(0, multiple=True)
    until(ch, lambda: len(one) + len(two) == 10, "five more")
    quiet(ch, one)
    equal(len(one) + len(two), 10)


@check("consuming: prefetch of the channel and of each consumer")
def both_prefetches(t):
    ch = t.channel()
    q, r = t.queue(ch), t.queue(ch)
    publish(ch, q, *[b"q"] * 20)
    publish(ch, r, *[b"r"] * 20)
    ch.basic_qos(prefetch_count=4)
    ch.basic_qos(prefetch_count=6, global_qos=True)
    one, two = consume(ch, q), consume(ch, r)
    until(ch, lambda: len(one) + len(two) == 6, "six in all")
    quiet(ch, one)
    holds(len(one) <= 4 and len(two) <= 4 and len(one) + len(two) == 6, f"{len(one)} and {len(two)}")


@check("consuming: prefetch 1 hands work to whoever is free")
def fair(t):
    slow, fast = t.channel(), t.channel()
    q = t.queue(slow, durable=True)
    for ch in (slow, fast):
        ch.basic_qos(prefetch_count=1)
    held = consume(slow, q)
    done = consume(fast, q, lambda ch, m, p, b: ch.basic_ack(m.delivery_tag))
    publish(fast, q, *[str(i).encode() for i in range(20)])
    until([slow, fast], lambda: len(done) == 19 and held, "nineteen for the fast one")
    equal(len(held), 1)


@check("consuming: get does not count towards prefetch")
def get_and_prefetch(t):
    ch = t.channel()
    q = t.queue(ch)
    ch.basic_qos(prefetch_count=1)
    publish(ch, q, b"1", b"2", b"3")
    equal([get(ch, q, auto_ack=False)[2] for _ in range(3)], [b"1", b"2", b"3"])


@check("consuming: automatic acks know no prefetch")
def automatic(t):
    ch = t.channel()
    q = t.queue(ch, durable=True)
    ch.basic_qos(prefetch_count=1)
    publish(ch, q, *[b"x"] * 50)
    got = consume(ch, q, auto_ack=True)
    until(ch, lambda: len(got) == 50, "fifty deliveries")
    ch.connection.close()
    equal(counts(t.channel(), q), (0, 0))


@check("consuming: higher priority first, the lower when it is busy")
def priorities(t):
    ch = t.channel()
    q = t.queue(ch)
    ch.basic_qos(prefetch_count=2)
    low, high = consume(ch, q, arguments={"x-priority": -1}), consume(ch, q, arguments={"x-priority": 5})
    ch.connection.sleep(0.2)
    for i in range(5):
        publish(ch, q, str(i).encode())
        ch.connection.sleep(0.1)
    until(ch, lambda: len(low) + len(high) == 4, "four deliveries")
    equal((high.bodies(), low.bodies()), ([b"0", b"1"], [b"2", b"3"]))
    ch.basic_ack(high[0][0].delivery_tag)
    until(ch, lambda: len(high) == 3, "the fifth to the higher")


@check("consuming: a priority that is no number")
def no_priority(t):
    ch = t.channel()
    q = t.queue(ch)
    refused(406, "^PRECONDITION_FAILED - ", ch.basic_consume, q, print, arguments={"x-priority": "high"})


@check("consuming: single active consumer, the next takes over")
def single_active(t):
    first, second = t.channel(), t.channel()
    q = t.queue(first, {"x-single-active-consumer": True}, durable=True)
    one = consume(first, q)
    two = consume(second, q)
    publish(first, q, b"1", b"2")
    until(first, lambda: len(one) == 2, "both to the first")
    quiet(second, two)
    equal(counts(first, q)[1], 2)
    first.basic_ack(one[0][0].delivery_tag)
    first.queue_declare(q, passive=True)
    first.connection.close()
    until(second, lambda: two, "the takeover")
    equal([(m.redelivered, b) for m, _, b in two], [(True, b"2")])
    publish(second, q, b"3")
    until(second, lambda: len(two) == 2, "the next")
    refused((403, 405), "", second.connection.channel().basic_consume, q, print, exclusive=True)


@check("consuming: a consumer whose connection went leaves its messages")
def gone(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(ch, durable=True)
    got = consume(ch, q)
    publish(ch, q, b"1", b"2", b"3")
    until(ch, lambda: len(got) == 3, "three")
    ch.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
    settled(other, q, 3)
    again = [get(other, q) for _ in range(3)]
    equal([(m.redelivered, b) for m, _, b in again], [(True, b"1"), (True, b"2"), (True, b"3")])


@check("consuming: a thousand consumers on one channel")
def thousand(t):
    ch = t.channel()
    queues = [t.queue(ch) for _ in range(100)]
    got = [consume(ch, q, auto_ack=True) for q in queues for _ in range(10)]
    for q in queues:
        publish(ch, q, *[b"x"] * 10)
    until(ch, lambda: sum(map(len, got)) == 1000, "a thousand deliveries", 60)


@check("consuming: get from an empty queue")
def empty(t):
    ch = t.channel()
    q = t.queue(ch)
    equal(ch.basic_get(q), (None, None, None))
    publish(ch, q, b"1", b"2")
    method, _, body = get(ch, q)
    equal((body, method.message_count, method.exchange, method.routing_key, method.delivery_tag), (b"1", 1, "", q, 1))


@check("consuming: no-local is accepted, as it does nothing")
def no_local(t):
    ch = t.channel()
    q = t.queue(ch)
    ch._impl._send_method(spec.Basic.Consume(queue=q, consumer_tag="quiet", no_local=True, nowait=True))
    equal(counts(ch, q)[1], 1)


@check("consuming: methods that want no answer")
def no_wait(t):
    ch = t.channel()
    x, q = t.name(), t.name()
    for m in (spec.Exchange.Declare(exchange=x, type="direct", nowait=True), spec.Queue.Declare(queue=q, exclusive=True, nowait=True),
              spec.Queue.Bind(queue=q, exchange=x, routing_key="k", nowait=True)):
        ch._impl._send_method(m)
    send(ch, x, "k", b"x")
    equal(bodies(ch, q, 1), [b"x"])
    for m in (spec.Queue.Purge(queue=q, nowait=True), spec.Queue.Delete(queue=q, nowait=True), spec.Exchange.Delete(exchange=x, nowait=True), spec.Confirm.Select(nowait=True)):
        ch._impl._send_method(m)
    ch.queue_declare("", exclusive=True)
    holds(not t.exists(exchange=x), "the exchange exists")
