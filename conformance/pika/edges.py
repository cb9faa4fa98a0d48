"""What programs do at the edges: things deleted in use, told twice, or ended in the middle."""

import socket

import pika
from pika import spec

from harness import bodies, check, consume, counts, cut_off, equal, get, holds, publish, quiet, refused, send, settled, until


@check("edges: what was published before close is there")
def published_then_closed(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(other, durable=True)
    publish(ch, q, *[str(i).encode() for i in range(500)])
    ch.connection.close()
    equal(bodies(other, q, 500), [str(i).encode() for i in range(500)])


@check("edges: half a message is none")
def half(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(other, durable=True)
    publish(ch, q, b"whole")
    ch.connection._impl._output_marshaled_frames([
        pika.frame.Method(ch.channel_number, spec.Basic.Publish(routing_key=q)).marshal(),
        pika.frame.Header(ch.channel_number, 1000, pika.BasicProperties()).marshal(),
        pika.frame.Body(ch.channel_number, b"x" * 500).marshal()])
    ch.connection.sleep(0.1)
    ch.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
    equal(bodies(other, q, 1), [b"whole"])


@check("edges: a body in frames of one byte, and with empty ones between")
def small_frames(t):
    ch = t.channel()
    q = t.queue(ch)
    n = ch.channel_number
    frames = [pika.frame.Method(n, spec.Basic.Publish(routing_key=q)).marshal(), pika.frame.Header(n, 5, pika.BasicProperties()).marshal()]
    for byte in (b"h", b"", b"e", b"l", b"", b"l", b"o"):
        frames.append(pika.frame.Body(n, byte).marshal())
    ch.connection._impl._output_marshaled_frames(frames)
    equal(bodies(ch, q, 1), [b"hello"])


@check("edges: a body longer than announced")
def too_long(t):
    ch = t.channel()
    n = ch.channel_number
    ch.connection._impl._output_marshaled_frames([
        pika.frame.Method(n, spec.Basic.Publish(routing_key="q")).marshal(), pika.frame.Header(n, 3, pika.BasicProperties()).marshal(),
        pika.frame.Body(n, b"four").marshal()])
    try:
        ch.connection.sleep(2)
        ch.queue_declare("", exclusive=True)
    except pika.exceptions.AMQPError as e:
        holds(getattr(e, "reply_code", 501) in (501, 505), repr(e))  # RabbitMQ waits for more, and has 505 for the next method
    else:
        raise AssertionError("it was taken")


@check("edges: acks for a queue that was deleted are no error")
def ack_deleted(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", b"2", b"3")
    tags = [get(ch, q, auto_ack=False)[0].delivery_tag for _ in range(3)]
    ch.queue_delete(q)
    ch.basic_ack(tags[0])
    ch.basic_nack(tags[1], requeue=True)
    ch.basic_reject(tags[2], requeue=False)
    ch.queue_declare("", exclusive=True)


@check("edges: acks after cancel are taken")
def ack_cancelled(t):
    ch = t.channel()
    q = t.queue(ch)
    got = consume(ch, q)
    publish(ch, q, b"1", b"2")
    until(ch, lambda: len(got) == 2, "two")
    ch.basic_cancel(got.tag)
    ch.basic_ack(got[0][0].delivery_tag)
    ch.basic_nack(got[1][0].delivery_tag, requeue=True)
    equal(bodies(ch, q, 1), [b"2"])


@check("edges: cancel of an unknown tag is no error")
def cancel_unknown(t):
    ch = t.channel()
    ch._impl._send_method(spec.Basic.Cancel(consumer_tag="nobody", nowait=True))
    ch.queue_declare("", exclusive=True)


@check("edges: a client that does not understand basic.cancel gets none")
def no_cancel_notify(t):
    c = t.connection(client_properties={"capabilities": {"consumer_cancel_notify": False, "authentication_failure_close": True}})
    ch, other = c.channel(), t.channel()
    q = t.queue(other, durable=True)
    heard = []
    ch.add_on_cancel_callback(heard.append)
    got = consume(ch, q)
    other.queue_delete(q)
    quiet(ch, got)
    equal(heard, [])
    ch.queue_declare("", exclusive=True)


@check("edges: more channels than were tuned")
def too_many_channels(t):
    c = t.connection(channel_max=3)
    for _ in range(3):
        c.channel()
    c._impl._send_method(4, spec.Channel.Open())
    cut_off((530, 504), "^(NOT_ALLOWED|CHANNEL_ERROR)", lambda: c.sleep(30))


@check("edges: bindings are told apart by key and arguments, and counted once")
def bindings(t):
    ch = t.channel()
    x, q = t.exchange(ch, "headers"), t.queue(ch)
    for _ in range(3):
        ch.queue_bind(q, x, "", {"a": 1})
    ch.queue_bind(q, x, "", {"a": 2})
    ch.queue_bind(q, x, "other key", {"a": 1})
    send(ch, x, "", b"1", headers={"a": 1})
    ch.queue_unbind(q, x, "", {"a": 1})
    send(ch, x, "", b"2", headers={"a": 1})
    ch.queue_unbind(q, x, "other key", {"a": 1})
    send(ch, x, "", b"3", headers={"a": 1})
    send(ch, x, "", b"4", headers={"a": 2})
    equal(bodies(ch, q, 3), [b"1", b"2", b"4"])


@check("edges: header values match by kind and value")
def header_kinds(t):
    ch = t.channel()
    x = t.exchange(ch, "headers")
    values = {"int": 1, "text": "1", "true": True, "list": [1, 2], "table": {"k": "v"}}
    queues = {name: t.queue(ch) for name in values}
    for name, v in values.items():
        ch.queue_bind(queues[name], x, "", {"value": v})
    for name, v in values.items():
        send(ch, x, "", name.encode(), headers={"value": v})
    for name, q in queues.items():
        equal(bodies(ch, q, 1), [name.encode()], name)


@check("edges: a thousand bindings, and a key of 255 bytes")
def thousand_bindings(t):
    ch = t.channel()
    x, q, r = t.exchange(ch, "topic"), t.queue(ch), t.queue(ch)
    for i in range(1000):
        ch._impl._send_method(spec.Queue.Bind(queue=q, exchange=x, routing_key=f"k.{i}.*", nowait=True))
    key = ".".join(["w"] * 128)[:255]
    ch.queue_bind(r, x, "w.#.w")
    send(ch, x, "k.777.z", b"found")
    send(ch, x, "k.1000.z", b"lost")
    send(ch, x, key, b"long")
    equal(bodies(ch, q, 1), [b"found"])
    equal(get(ch, r)[0].routing_key, key)


@check("edges: an exclusive queue's name is free as soon as its connection closed")
def name_free(t):
    name = t.name("q")
    for i in range(10):
        c = t.connection()
        ch = c.channel()
        ch.queue_declare(name, exclusive=True)
        publish(ch, name, b"x")
        c.close()


@check("edges: get beside consumers, and with a single active one")
def get_beside(t):
    ch = t.channel()
    q = t.queue(ch)
    ch.basic_qos(prefetch_count=1)
    got = consume(ch, q)
    publish(ch, q, b"1", b"2")
    until(ch, lambda: got, "the first")
    equal(get(ch, q)[2], b"2")
    r = t.queue(ch, durable=True)
    consume(ch, r, exclusive=True)
    refused(403, f"^ACCESS_REFUSED - queue '{r}' in vhost '/' in exclusive use", t.channel().basic_consume, r, print)


@check("edges: requeued past its time, or past the bound, is gone")
def requeued_late(t):
    ch = t.channel()
    q = t.queue(ch, {"x-message-ttl": 3000, "x-max-length": 1})
    publish(ch, q, b"1")
    tag = get(ch, q, auto_ack=False)[0].delivery_tag
    publish(ch, q, b"2")
    settled(ch, q, 1)
    ch.basic_nack(tag, requeue=True)
    settled(ch, q, 1, 3)
    settled(ch, q, 0)


@check("edges: transactions take nacks, too")
def transacted_nacks(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", b"2")
    ch.tx_select()
    one, two = get(ch, q, auto_ack=False)[0].delivery_tag, get(ch, q, auto_ack=False)[0].delivery_tag
    ch.basic_nack(one, requeue=True)
    ch.basic_reject(two, requeue=False)
    ch.connection.sleep(0.1)
    equal(counts(ch, q)[0], 0)
    ch.tx_commit()
    settled(ch, q, 1)
    method, _, body = get(ch, q)
    equal((body, method.redelivered), (b"1", True))


@check("edges: an empty header table stays one, and no table stays none")
def empty_table(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", headers={})
    publish(ch, q, b"2")
    equal([get(ch, q)[1].headers for _ in range(2)], [{}, None])


@check("edges: empty properties are kept: an empty text, a zero, the first second")
def empty_properties(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", content_type="", correlation_id="", priority=0, timestamp=0, message_id="")
    p = get(ch, q)[1]
    equal((p.content_type, p.correlation_id, p.priority, p.timestamp, p.message_id), ("", "", 0, 0, ""))


@check("edges: delivery-mode comes back as it was sent")
def delivery_mode(t):
    ch = t.channel()
    q = t.queue(ch, durable=True)
    for mode in (1, 2, None):
        publish(ch, q, b"x", delivery_mode=mode)
        equal(get(ch, q)[1].delivery_mode, mode)


@check("edges: a consumer that takes its time loses nothing")
def slow_consumer(t):
    """What the socket cannot take waits in the broker."""
    ch, other = t.channel(), t.channel()
    q = t.queue(ch, durable=True)
    got = consume(other, q, auto_ack=True)
    for i in range(100):
        publish(ch, q, i.to_bytes(2, "big") * 50_000)
        ch.queue_declare(q, passive=True)
    until(other, lambda: len(got) == 100, "a hundred large messages", 60)
    equal([int.from_bytes(b[:2], "big") for b in got.bodies()], list(range(100)))


@check("edges: publishing and consuming on one channel, both at once")
def both_ways(t):
    ch = t.channel()
    q = t.queue(ch)
    n = 300

    def again(channel, method, properties, body):
        channel.basic_ack(method.delivery_tag)
        if int(body) < n:
            publish(channel, q, str(int(body) + 1).encode())

    got = consume(ch, q, again)
    publish(ch, q, b"0")
    until(ch, lambda: len(got) == n + 1, "the last", 90)
    equal(got.bodies(), [str(i).encode() for i in range(n + 1)])
