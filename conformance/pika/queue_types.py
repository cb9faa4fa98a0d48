"""Quorum queues, lazy queues, streams, and the delayed-message exchange."""

import datetime
import time

import pika

from harness import bodies, check, consume, cut_off, equal, get, holds, product, publish, refused, settled, until


def quorum(t, ch, name=None, **arguments):
    return t.queue(ch, {"x-queue-type": "quorum", **{k.replace("_", "-"): v for k, v in arguments.items()}}, name, durable=True)


@check("quorum: publish, confirm, consume, acknowledge")
def round_trip(t):
    ch = t.channel(confirm=True)
    q = quorum(t, ch)
    for i in range(20):
        publish(ch, q, str(i).encode(), delivery_mode=2)
    got = consume(ch, q)
    until(ch, lambda: len(got) == 20, "twenty")
    equal(got.bodies(), [str(i).encode() for i in range(20)])
    ch.basic_ack(0, multiple=True)
    ch.queue_declare(q, passive=True)
    ch.connection.close()
    other = t.channel()
    settled(other, q, 0)


@check("quorum: counts deliveries, and gives up at the limit")
def limit(t):
    ch = t.channel()
    x, dead = t.exchange(ch, "fanout"), t.queue(ch)
    ch.queue_bind(dead, x)
    q = quorum(t, ch, x_delivery_limit=2, x_dead_letter_exchange=x)
    publish(ch, q, b"poison")
    seen = []
    for _ in range(3):
        method, properties, _ = get(ch, q, auto_ack=False)
        seen.append(((properties.headers or {}).get("x-delivery-count", 0), method.redelivered))
        ch.basic_nack(method.delivery_tag, requeue=True)
    equal(seen, [(0, False), (1, True), (2, True)])
    _, properties, body = get(ch, dead)
    d = properties.headers["x-death"][0]
    equal((body, d["count"], d["reason"], d["queue"]), (b"poison", 1, "delivery_limit", q))
    equal(bodies(ch, q, 0), [])


@check("quorum: at the limit without a dead-letter exchange it is dropped")
def dropped(t):
    ch = t.channel()
    q = quorum(t, ch, x_delivery_limit=1)
    publish(ch, q, b"poison", b"good")
    for _ in range(2):
        method, _, body = get(ch, q, auto_ack=False)
        equal(body, b"poison")
        ch.basic_nack(method.delivery_tag, requeue=True)
        time.sleep(0.1)
    equal(bodies(ch, q, 1), [b"good"])


@check("quorum: rejected and expired dead letters")
def dead(t):
    ch = t.channel()
    x, dead = t.exchange(ch, "fanout"), t.queue(ch)
    ch.queue_bind(dead, x)
    q = quorum(t, ch, x_dead_letter_exchange=x)
    publish(ch, q, b"1")
    ch.basic_reject(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    equal(get(ch, dead)[1].headers["x-death"][0]["reason"], "rejected")
    publish(ch, q, b"2", expiration="200")
    equal(get(ch, dead)[1].headers["x-death"][0]["reason"], "expired")


@check("quorum: single active consumer")
def single_active(t):
    one, two = t.channel(), t.channel()
    q = quorum(t, one, x_single_active_consumer=True)
    first = consume(one, q)
    second = consume(two, q)
    publish(one, q, b"1", b"2")
    until(one, lambda: len(first) == 2, "both to the first")
    one.connection.close()
    until(two, lambda: len(second) == 2, "the takeover")


@check("quorum: max-length and reject-publish")
def bounded(t):
    ch = t.channel()
    q = quorum(t, ch, x_max_length=3)
    for i in range(6):
        publish(ch, q, str(i).encode())
        ch.connection.sleep(0.05)
    settled(ch, q, 3)
    equal(bodies(ch, q, 3), [b"3", b"4", b"5"])
    sure = t.channel(confirm=True)
    r = quorum(t, sure, x_max_length=2, x_overflow="reject-publish")
    try:
        for _ in range(20):  # the bound of a quorum queue is not exact
            publish(sure, r, b"x")
            sure.connection.sleep(0.05)
    except pika.exceptions.NackError:
        return
    raise AssertionError("20 messages where 2 are allowed")


@check("quorum: what its kind cannot be")
def refusals(t):
    c = t.connection()
    for how in ({"durable": False}, {"durable": True, "exclusive": True}):
        refused(406, "^PRECONDITION_FAILED - invalid property '(non-durable|exclusive-owner)' for queue", c.channel().queue_declare, t.name(),
                arguments={"x-queue-type": "quorum"}, **how)
    q = quorum(t, c.channel())
    refused(406, "^PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue .*: received ", c.channel().queue_declare, q, durable=True)
    ch = c.channel()
    ch.basic_qos(prefetch_count=5, global_qos=True)
    cut_off(540, "^NOT_IMPLEMENTED - queue .* does not support global qos", ch.basic_consume, q, print)


@check("lazy: a queue like others")
def lazy(t):
    ch = t.channel()
    q = t.queue(ch, {"x-queue-mode": "lazy"}, durable=True)
    publish(ch, q, b"1", b"2", delivery_mode=2)
    equal(bodies(ch, q, 2), [b"1", b"2"])


@check("classic: named as such is the same queue")
def classic(t):
    c = t.connection()
    q = t.queue(c.channel(), {"x-queue-type": "classic"}, durable=True)
    c.channel().queue_declare(q, durable=True, arguments={"x-queue-type": "classic"})
    c.channel().queue_declare(q, durable=True)


def stream(t, ch, n=10):
    q = t.queue(ch, {"x-queue-type": "stream"}, durable=True)
    for i in range(n):
        publish(ch, q, str(i).encode())
    return q


def read(t, q, n, offset=None):
    """What a reader sees: bodies and offsets."""
    ch = t.channel()
    ch.basic_qos(prefetch_count=100)
    got = consume(ch, q, lambda ch, m, p, b: ch.basic_ack(m.delivery_tag), arguments=None if offset is None else {"x-stream-offset": offset})
    until(ch, lambda: len(got) >= n, f"{n} from offset {offset}")
    return ch, got


@check("stream: read again and again, from the first")
def again(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch)
    for _ in range(2):
        reader, got = read(t, q, 10, "first")
        equal(got.bodies(), [str(i).encode() for i in range(10)])
        equal([p.headers["x-stream-offset"] for _, p, _ in got], list(range(10)))
        reader.connection.close()


@check("stream: from an offset, a time, the next")
def offsets(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch)
    _, got = read(t, q, 4, 6)
    equal(got.bodies(), [b"6", b"7", b"8", b"9"])
    reader, got = read(t, q, 0, "next")
    reader.connection.sleep(0.3)
    publish(ch, q, b"new")
    until(reader, lambda: got, "the next one")
    equal(got.bodies(), [b"new"])
    _, got = read(t, q, 11, datetime.datetime.utcnow() - datetime.timedelta(hours=1))
    equal(got.bodies(), [str(i).encode() for i in range(10)] + [b"new"])


@check("stream: what it cannot do")
def stream_refusals(t):
    ch = t.channel(confirm=True)
    c = ch.connection
    q = stream(t, ch, 1)
    consumer = c.channel()
    refused(406, "^PRECONDITION_FAILED - consumer prefetch count is not set for ", consumer.basic_consume, q, print)
    refused(406, "^PRECONDITION_FAILED - invalid property 'non-durable' for queue", c.channel().queue_declare, t.name(), arguments={"x-queue-type": "stream"})


@check("delayed-message: later, by the header x-delay")
def delayed(t):
    """The exchange type is a plug-in that Debian's RabbitMQ does not have."""
    ch = t.channel()
    if product(ch.connection) == "RabbitMQ":
        return
    x = t.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "direct"})
    q = t.queue(ch)
    ch.queue_bind(q, x, "k")
    start = time.monotonic()
    for delay, body in ((4000, b"late"), (2000, b"soon"), (None, b"now")):
        ch.basic_publish(x, "k", body, pika.BasicProperties(headers={"x-delay": delay} if delay else None))
    got = consume(ch, q, auto_ack=True)
    until(ch, lambda: len(got) == 1, "the first")
    holds(time.monotonic() - start < 2, "late")
    until(ch, lambda: len(got) == 3, "all")
    equal(got.bodies(), [b"now", b"soon", b"late"])
    holds(time.monotonic() - start >= 4, "early")
