"""Streams over AMQP 0-9-1, topics as exchanges, and bodies as long as they may be."""

import datetime
import time

import pika

from harness import bodies, check, consume, counts, cut_off, equal, get, holds, product, publish, quiet, refused, settled, until


def stream(t, ch, n=0, **arguments):
    q = t.queue(ch, {"x-queue-type": "stream", **{k.replace("_", "-"): v for k, v in arguments.items()}}, durable=True)
    publish(ch, q, *(str(i).encode() for i in range(n)))
    return q


def reader(t, q, offset=None, prefetch=100, ack=True):
    ch = t.channel()
    ch.basic_qos(prefetch_count=prefetch)
    handle = (lambda ch, m, p, b: ch.basic_ack(m.delivery_tag)) if ack else None
    return ch, consume(ch, q, handle, arguments=None if offset is None else {"x-stream-offset": offset})


def numbers(of):
    return [str(i).encode() for i in of]


@check("stream: every consumer has everything, each from a place of its own")
def many(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 20)
    readers = [reader(t, q, offset) for offset in ("first", 0, 7, "1h", "next")]
    for c, _ in readers:
        c.connection.process_data_events(0.2)
    publish(ch, q, b"20")
    for (c, got), begin in zip(readers, (0, 0, 7, 0, 20)):
        until(c, lambda: len(got) >= 21 - begin, f"all from {begin}")
        equal(got.bodies(), numbers(range(begin, 21)))
        equal([p.headers["x-stream-offset"] for _, p, _ in got], list(range(begin, 21)))
        equal({m.redelivered for m, _, _ in got}, {False})


@check("stream: last is the last that came together")
def last(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 5)
    c, got = reader(t, q, "last")
    until(c, lambda: got.bodies()[-1:] == [b"4"], "the last")


@check("stream: an offset that is not there yet")
def later(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 2)
    c, got = reader(t, q, 4)
    c.connection.process_data_events(0.2)
    publish(ch, q, b"2", b"3", b"4", b"5")
    until(c, lambda: b"5" in got.bodies(), "what comes")
    holds(got.bodies()[-2:] == [b"4", b"5"], f"got {got.bodies()}")


@check("stream: the prefetch holds back, an ack is credit")
def credit(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 10)
    c, got = reader(t, q, "first", prefetch=2, ack=False)
    until(c, lambda: len(got) == 2, "two")
    quiet(c, got)
    c.basic_ack(got[0][0].delivery_tag)
    until(c, lambda: len(got) == 3, "a third")
    quiet(c, got)
    c.basic_ack(0, multiple=True)
    until(c, lambda: len(got) == 5, "two more")
    equal(got.bodies(), numbers(range(5)))


@check("stream: an ack takes nothing away")
def kept(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 3)
    c, got = reader(t, q, "first")
    until(c, lambda: len(got) == 3, "three")
    c.connection.close()
    c, got = reader(t, q, "first")
    until(c, lambda: len(got) == 3, "three again")
    until(ch, lambda: counts(ch, q)[0] == 3, "three messages in the stream")


@check("stream: bound to exchanges as a queue is")
def bound(t):
    ch = t.channel(confirm=True)
    q, plain = stream(t, ch), t.queue(ch)
    x = t.exchange(ch, "topic")
    for name in (q, plain):
        ch.queue_bind(name, x, "a.*")
    for i, key in enumerate(("a.b", "b.a", "a.c")):
        ch.basic_publish(x, key, str(i).encode(), pika.BasicProperties(message_id=str(i), headers={"h": i}))
    c, got = reader(t, q, "first")
    until(c, lambda: len(got) == 2, "two")
    equal([(m.exchange, m.routing_key, p.message_id, p.headers["h"], b) for m, p, b in got], [(x, "a.b", "0", 0, b"0"), (x, "a.c", "2", 2, b"2")])
    equal(bodies(ch, plain, 2), [b"0", b"2"])
    ch.queue_unbind(q, x, "a.*")
    ch.basic_publish(x, "a.b", b"gone")
    quiet(c, got)


@check("stream: properties, headers and long bodies come back")
def content(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch)
    body = bytes(range(256)) * 4096
    p = pika.BasicProperties("text/plain", "gzip", {"n": 5, "b": True, "s": "text"}, 2, 3, "c", "r", None, "m", 1_600_000_000, "y", None, "a")
    ch.basic_publish("", q, body, p)
    c, got = reader(t, q, "first")
    until(c, lambda: got, "the message")
    _, back, value = got[0]
    holds(value == body, "another body")
    equal((back.content_type, back.content_encoding, back.priority, back.correlation_id, back.reply_to, back.message_id, back.timestamp, back.type, back.app_id),
          ("text/plain", "gzip", 3, "c", "r", "m", 1_600_000_000, "y", "a"))
    equal({k: back.headers[k] for k in "nbs"}, {"n": 5, "b": True, "s": "text"})


@check("stream: a time leads to what is not older")
def times(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 3)
    time.sleep(2.1)
    since = datetime.datetime.utcnow()
    time.sleep(1.1)
    publish(ch, q, b"3", b"4")
    c, got = reader(t, q, since)
    until(c, lambda: len(got) >= 2, "the later ones")
    equal(got.bodies(), [b"3", b"4"])
    c, got = reader(t, q, datetime.datetime.utcnow() + datetime.timedelta(hours=1))
    c.connection.process_data_events(0.2)
    publish(ch, q, b"5")
    until(c, lambda: got, "what comes")
    equal(got.bodies(), [b"5"])


@check("stream: what it may not be")
def declarations(t):
    c = t.connection()

    def no(code, pattern, how=None, **arguments):
        refused(code, pattern, c.channel().queue_declare, t.name(), arguments={"x-queue-type": "stream", **{k.replace("_", "-"): v for k, v in arguments.items()}},
                **(how or {"durable": True}))
    no(406, "invalid property 'non-durable' for queue", {"durable": False})
    no(406, "invalid property 'exclusive-owner' for queue", {"durable": True, "exclusive": True})
    no(406, "invalid property 'auto-delete' for queue", {"durable": True, "auto_delete": True})
    for name, value in (("x-message-ttl", 1000), ("x-expires", 1000), ("x-max-length", 5), ("x-max-priority", 3), ("x-overflow", "drop-head"), ("x-delivery-limit", 2),
                        ("x-dead-letter-exchange", ""), ("x-single-active-consumer", True), ("x-queue-mode", "lazy")):
        no(406, f"^PRECONDITION_FAILED - invalid arg '{name}' for queue '.*' in vhost '/' of queue type rabbit_stream_queue$", **{name: value})
    for age in ("1", "0h", "1H", "1d", "1.5h", "1 h"):
        no(406, "^PRECONDITION_FAILED - invalid arg 'x-max-age' for queue '.*' in vhost '/': invalid_max_age$", x_max_age=age)
    no(406, r"invalid arg 'x-max-age' .*: \{unacceptable_type,", x_max_age=5)
    no(406, r"invalid arg 'x-max-length-bytes' .*: \{value_negative,-1\}", x_max_length_bytes=-1)
    no(406, "Exceeded max value for x-stream-max-segment-size-bytes", x_stream_max_segment_size_bytes=5_000_000_000)
    for age in ("1Y", "2M", "7D", "12h", "30m", "90s"):
        stream(t, c.channel(), x_max_age=age)


@check("stream: declared again")
def again(t):
    c = t.connection()
    arguments = {"x_max_age": "1h", "x_max_length_bytes": 1_000_000}
    q = stream(t, c.channel(), **arguments)
    same = {"x-queue-type": "stream", "x-max-age": "1h", "x-max-length-bytes": 1_000_000}
    c.channel().queue_declare(q, durable=True, arguments=same)
    for name, value, pattern in (("x-max-age", "2h", "received '2h' but current is '1h'"), ("x-max-length-bytes", 5, "received '5' but current is '1000000'"),
                                 ("x-stream-max-segment-size-bytes", 5, "received the value '5' of type '[a-z]+' but current is none")):
        refused(406, f"^PRECONDITION_FAILED - inequivalent arg '{name}' for queue '{q}' in vhost '/': {pattern}", c.channel().queue_declare, q, durable=True,
                arguments={**same, name: value})
    refused(406, f"inequivalent arg '.*' for queue '{q}'", c.channel().queue_declare, q, durable=True)


@check("stream: what its consumers may not ask")
def consumers(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 1)

    def no(code, pattern, prefetch=5, **how):
        c = t.connection().channel()
        if prefetch:
            c.basic_qos(prefetch_count=prefetch)
        (refused if code == 406 else cut_off)(code, pattern, c.basic_consume, q, print, **how)
    no(406, f"^PRECONDITION_FAILED - consumer prefetch count is not set for 'queue '{q}' in vhost '/''", prefetch=0)
    no(540, f"^NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues queue '{q}' in vhost '/'", auto_ack=True)
    no(406, r"invalid arg 'x-priority' for queue .* of queue type rabbit_stream_queue", arguments={"x-priority": 1})
    for offset in ("5", "1x", "0s"):
        no(406, rf"invalid arg 'x-stream-offset' for queue '{q}' in vhost '/': \{{invalid_stream_offset_arg,\{{longstr,<<\"{offset}\">>\}}\}}", arguments={"x-stream-offset": offset})


@check("stream: methods of queues that it does not have")
def methods(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 3)
    cut_off(540, f"^NOT_IMPLEMENTED - basic.get not supported by stream queues queue '{q}' in vhost '/'", t.channel().basic_get, q)
    cut_off(540, f"^NOT_IMPLEMENTED - queue.purge not supported by stream queues queue '{q}' in vhost '/'", t.channel().queue_purge, q)
    for how in ({"requeue": True}, {"requeue": False}):
        c, got = reader(t, q, "first", ack=False)
        until(c, lambda: got, "a message")

        def nack():
            c.basic_nack(got[0][0].delivery_tag, **how)
            c.connection.sleep(30)
        cut_off(540, f"^NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues queue '{q}' in vhost '/'", nack)


@check("stream: cancelling, and deleting under its consumers")
def ends(t):
    ch = t.channel(confirm=True)
    q = stream(t, ch, 3)
    c, got = reader(t, q, "first")
    until(c, lambda: len(got) == 3, "three")
    if product(ch.connection) != "RabbitMQ":  # which counts no consumers of streams
        until(ch, lambda: counts(ch, q)[1] == 1, "one consumer")
    c.basic_cancel(got.tag)
    publish(ch, q, b"3")
    quiet(c, got)
    c, got = reader(t, q, 3)
    until(c, lambda: got, "the fourth")
    cancelled = []
    c.add_on_cancel_callback(cancelled.append)
    ch.queue_delete(q)
    until(c, lambda: cancelled, "basic.cancel")
    holds(not t.exists(queue=q), "it is still there")


@check("stream: many messages, many readers")
def volume(t):
    ch = t.channel()
    q = stream(t, ch)
    n = 3000
    publish(ch, q, *numbers(range(n)))
    for prefetch in (1, 17, 1000):
        want = n if prefetch > 1 else 200
        c, got = reader(t, q, "first", prefetch=prefetch)
        until(c, lambda: len(got) >= want, f"all with a prefetch of {prefetch}", 60)
        equal(got.bodies()[:want], numbers(range(want)))


@check("long bodies: sixteen MiB through a queue")
def long_bodies(t):
    ch = t.channel(confirm=True)
    q = t.queue(ch)
    body = bytes(range(256)) * (64 << 10)
    equal(len(body), 16 << 20)
    publish(ch, q, body, body)
    for _ in range(2):
        holds(get(ch, q, 60)[2] == body, "another body")


@check("dead letters: by headers that are no text")
def typed(t):
    ch = t.channel(confirm=True)
    x = t.exchange(ch, "headers")
    q = t.queue(ch, {"x-dead-letter-exchange": x})
    cases = {"number": 5, "yes": True, "none": None, "time": datetime.datetime(2020, 1, 1), "list": [1, "a"], "table": {"a": 1}, "text": "5"}
    places = {}
    for name, value in cases.items():
        places[name] = t.queue(ch)
        ch.queue_bind(places[name], x, arguments={"x-match": "all", "h": value})
    for name, value in cases.items():
        ch.basic_publish("", q, name.encode(), pika.BasicProperties(headers={"h": value}))
        method, _, _ = get(ch, q, auto_ack=False)
        ch.basic_reject(method.delivery_tag, requeue=False)
    for name in cases:
        want = list(cases) if name == "none" else [name]  # a binding without a value asks for the header alone
        settled(ch, places[name], len(want))
        equal(sorted(bodies(ch, places[name], len(want))), sorted(w.encode() for w in want), name)


@check("topics: exchanges of their names")
def topics(t):
    """RabbitMQ has no topics. A stream over one that Naru has would be a queue; so the suite needs NARU_TOPIC, which the runner makes."""
    import os
    topic = os.environ.get("NARU_TOPIC")
    ch = t.channel(confirm=True)
    if product(ch.connection) == "RabbitMQ" or not topic:
        return
    ch.exchange_declare(topic, passive=True)
    q = t.queue(ch)
    ch.queue_bind(q, topic, "ignored")
    ch.basic_publish(topic, "key", b"hello", pika.BasicProperties(headers={"n": 1}))
    method, properties, body = get(ch, q)
    equal((method.exchange, method.routing_key, properties.headers["n"], body), (topic, "key", 1, b"hello"))
    ch.queue_unbind(q, topic, "ignored")
    ch.basic_publish(topic, "key", b"more")
    time.sleep(0.3)
    equal(bodies(ch, q, 0), [])
