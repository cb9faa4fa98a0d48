"""Connections and channels: how they open, how they end, what ends only a channel."""

import socket
import struct
import time

import pika
from pika import spec
from pika.exceptions import AMQPConnectionError, AMQPError, ConnectionClosedByBroker, ProbableAccessDeniedError, ProbableAuthenticationError

from harness import check, consume, cut_off, equal, get, holds, publish, refused, until, url


@check("connection: server properties and capabilities")
def properties(t):
    impl = t.connection()._impl
    holds(impl.server_properties.get("product"), "no product")
    holds(impl.server_properties.get("version"), "no version")
    for c in ("publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
              "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to"):
        equal(impl.server_capabilities.get(c), True, c)


@check("connection: tuned to what both sides allow")
def tuned(t):
    impl = t.connection(frame_max=8192, channel_max=5, heartbeat=7)._impl
    equal((impl.params.frame_max, impl.params.channel_max, impl.params.heartbeat), (8192, 5, 7))
    ch = t.connection(frame_max=4096).channel()
    q = t.queue(ch)
    publish(ch, q, b"x" * 50000)
    equal(get(ch, q)[2], b"x" * 50000)


@check("connection: wrong password")
def password(t):
    try:
        t.connection(credentials=pika.PlainCredentials("guest", "wrong"))
    except ProbableAuthenticationError as e:
        holds("ACCESS_REFUSED" in str(e) and "403" in str(e), f"text {e}")
    else:
        raise AssertionError("it let us in")


@check("connection: unknown virtual host")
def vhost(t):
    try:
        t.connection(virtual_host="nowhere")
    except ProbableAccessDeniedError as e:
        holds("(530) 'NOT_ALLOWED - vhost nowhere not found'" in str(e), f"text {e}")
    else:
        raise AssertionError("it let us in")


@check("connection: heartbeats keep an idle connection")
def heartbeat(t):
    c = t.connection(heartbeat=2)
    c.sleep(6)
    ch = c.channel()
    q = t.queue(ch)
    publish(ch, q, b"alive")
    equal(get(ch, q)[2], b"alive")


@check("connection: one without heartbeats is closed")
def dead(t):
    c = t.connection(heartbeat=1)
    ch = c.channel()
    q = t.queue(ch)
    time.sleep(5)
    try:
        ch.queue_declare(q, passive=True)
    except (AMQPConnectionError, pika.exceptions.StreamLostError):
        return
    raise AssertionError("it is still open")


@check("connection: heartbeat 0 turns them off")
def no_heartbeat(t):
    c = t.connection(heartbeat=0)
    equal(c._impl.params.heartbeat, 0)
    time.sleep(3)
    c.channel()


@check("connection: closed by the client")
def closed(t):
    c = t.connection()
    c.channel()
    c.close(320, "enough")
    holds(c.is_closed, "still open")


@check("connection: update-secret")
def update_secret(t):
    c = t.connection()
    c.update_secret("guest", "rotation")
    c.channel()


def hello(header=b"AMQP\x00\x00\x09\x01"):
    p = pika.URLParameters(url)
    s = socket.create_connection((p.host, p.port), 10)
    s.sendall(header)
    return s


def rest(s):
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionError:
            return got
        if not more:
            return got
        got += more


@check("connection: another protocol's header is answered with ours")
def header(t):
    for first in (b"AMQP\x00\x00\x09\x09", b"AMQP\x02\x02\x02\x02", b"GET / HT"):
        with hello(first) as s:
            equal(rest(s)[:8], b"AMQP\x00\x00\x09\x01", repr(first))


@check("connection: a frame larger than tuned")
def oversized(t):
    c = t.connection(frame_max=4096)
    ch = c.channel()
    q = t.queue(ch)
    c._impl._output_marshaled_frames([b"\x03" + struct.pack(">HI", 1, 5000) + b"x" * 5000 + b"\xce"])
    cut_off(501, "^FRAME_ERROR", lambda: ch.queue_declare(q, passive=True))


@check("connection: a content frame that nothing announced")
def unexpected(t):
    c = t.connection()
    ch = c.channel()
    c._impl._output_marshaled_frames([b"\x03" + struct.pack(">HI", ch.channel_number, 4) + b"body\xce"])
    cut_off((505, 503, 501), "^(UNEXPECTED_FRAME|COMMAND_INVALID|FRAME_ERROR)", lambda: ch.queue_declare("", exclusive=True))


@check("connection: a method on a channel that is not open")
def not_open(t):
    c = t.connection()
    c._impl._send_method(77, spec.Queue.Declare(queue="", exclusive=True))
    cut_off(504, "^CHANNEL_ERROR", lambda: c.sleep(30))


@check("connection: a channel opened twice")
def twice(t):
    c = t.connection()
    ch = c.channel()
    c._impl._send_method(ch.channel_number, spec.Channel.Open())
    cut_off(504, "^CHANNEL_ERROR - second 'channel.open' seen", lambda: c.sleep(30))


@check("connection: a frame without its end")
def frame_end(t):
    c = t.connection()
    ch = c.channel()
    c._impl._output_marshaled_frames([b"\x08" + struct.pack(">HI", 0, 0) + b"\x00"])
    try:
        c.sleep(3)
        ch.queue_declare("", exclusive=True)
    except ConnectionClosedByBroker as e:
        equal(e.reply_code, 501)
    except AMQPError:
        pass  # cut off without a word
    else:
        raise AssertionError("it went on")


@check("connection: one that says nothing more is dropped")
def silent(t):
    with hello() as s:
        s.settimeout(30)
        holds(s.recv(8)[:1] == b"\x01", "no start")
        rest(s)


@check("channels: many on one connection")
def many(t):
    c = t.connection()
    channels = [c.channel() for _ in range(200)]
    equal(len({ch.channel_number for ch in channels}), 200)
    q = t.queue(channels[0])
    for i, ch in enumerate(channels):
        publish(ch, q, str(i).encode())
    for ch in channels[1:]:
        ch.close()
    equal(channels[0].queue_declare(q, passive=True).method.message_count, 200)


@check("channels: a number is free again after close")
def reuse(t):
    c = t.connection()
    for _ in range(50):
        ch = c.channel(9)
        ch.queue_declare("", exclusive=True)
        ch.close()


@check("channels: a closed one leaves the others")
def others(t):
    c = t.connection()
    bad, good = c.channel(), c.channel()
    q = t.queue(good)
    got = consume(good, q, auto_ack=True)
    refused(404, "^NOT_FOUND", bad.queue_declare, t.name(), passive=True)
    publish(c.channel(), q, b"still here")
    until(good, lambda: got, "the delivery")


@check("channels: errors name the class and the method")
def class_and_method(t):
    c = t.connection()
    locked = t.queue(t.connection().channel())
    kept = t.queue(c.channel())

    def closing(f):
        ch, seen = c.channel(), []
        c._impl.callbacks.add(ch.channel_number, spec.Channel.Close, lambda frame: seen.append(frame.method))
        try:
            f(ch)
            ch.queue_declare(kept, passive=True)
        except AMQPError:
            pass
        equal(len(seen), 1, "closes")
        return seen[0].reply_code, seen[0].class_id, seen[0].method_id

    equal(closing(lambda ch: ch.queue_declare(t.name(), passive=True)), (404, 50, 10))
    equal(closing(lambda ch: ch.exchange_declare(t.name(), passive=True)), (404, 40, 10))
    equal(closing(lambda ch: ch.queue_bind(kept, t.name())), (404, 50, 20))
    equal(closing(lambda ch: ch.queue_purge(t.name())), (404, 50, 30))
    equal(closing(lambda ch: ch.basic_publish(t.name(), "", b"")), (404, 60, 40))
    equal(closing(lambda ch: ch.basic_get(t.name())), (404, 60, 70))
    equal(closing(lambda ch: ch.basic_ack(99)), (406, 60, 80))
    equal(closing(lambda ch: ch.basic_nack(99)), (406, 60, 120))
    equal(closing(lambda ch: ch.basic_reject(99)), (406, 60, 90))
    equal(closing(lambda ch: ch.queue_declare(locked, passive=True)), (405, 50, 10))
    equal(closing(lambda ch: ch.queue_delete(locked)), (405, 50, 40))
    equal(closing(lambda ch: ch.queue_declare(kept, auto_delete=True, exclusive=True)), (406, 50, 10))
    equal(closing(lambda ch: ch.exchange_declare("amq.mine", "direct")), (403, 40, 10))


@check("channels: flow off is answered or not implemented")
def flow(t):
    ch = t.channel()
    equal(ch.flow(True), True)
    cut_off(540, "^NOT_IMPLEMENTED", t.channel().flow, False)


@check("channels: prefetch by bytes is not implemented")
def prefetch_size(t):
    ch = t.channel()
    cut_off(540, r"^NOT_IMPLEMENTED - prefetch_size!=0 \(100\)", ch.basic_qos, prefetch_size=100)


@check("channels: immediate is not implemented")
def immediate(t):
    ch = t.channel()
    ch._impl._send_method(spec.Basic.Publish(exchange="", routing_key="x", immediate=True), (pika.BasicProperties(), b"x"))
    cut_off(540, "^NOT_IMPLEMENTED - immediate=true", ch.queue_declare, "", exclusive=True)
