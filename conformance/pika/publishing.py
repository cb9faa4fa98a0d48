"""Properties, returns, confirms and transactions."""

import datetime
import decimal
import os
import re

import pika
from pika.exceptions import ChannelClosedByBroker, NackError, UnroutableError

from harness import bodies, check, consume, counts, equal, get, holds, publish, refused, send, settled, until


@check("publishing: all properties come back")
def properties(t):
    ch = t.channel()
    q = t.queue(ch)
    sent = dict(content_type="application/json", content_encoding="utf-8", delivery_mode=2, priority=3, correlation_id="c-1", reply_to="r",
                expiration="60000", message_id="m-1", timestamp=1700000000, type="kind", user_id="guest", app_id="app", cluster_id="cluster")
    publish(ch, q, b"{}", headers={"a": 1}, **sent)
    method, got, body = get(ch, q)
    equal(body, b"{}")
    equal({k: getattr(got, k) for k in sent}, sent)
    equal(got.headers, {"a": 1})
    equal((method.exchange, method.routing_key, method.redelivered), ("", q, False))
    publish(ch, q, b"bare")
    _, got, _ = get(ch, q)
    equal([k for k in (*sent, "headers") if getattr(got, k) is not None], [])


@check("publishing: all kinds of header values come back")
def headers(t):
    ch = t.channel()
    q = t.queue(ch)
    sent = {"true": True, "false": False, "zero": 0, "small": -5, "int": 2**31 - 1, "long": 2**62, "negative": -(2**62), "decimal": decimal.Decimal("3.14"),
            "text": "나루 🛶", "empty": "", "bytes": bytes(range(256)), "time": datetime.datetime(2024, 2, 29, 12, 30, 15), "none": None,
            "list": [1, "two", None, [3, {"four": 4}], True], "table": {"deep": {"deeper": {"deepest": [1]}}, "n": None}, "empty list": [], "empty table": {},
            "long text": "x" * 70000}
    publish(ch, q, b"h", headers=sent)
    got = get(ch, q)[1].headers
    got["time"] = got["time"].replace(tzinfo=None)
    equal(sorted(got), sorted(sent))
    for k, v in sent.items():
        kind = int if isinstance(got[k], int) and not isinstance(got[k], bool) else type(got[k])  # pika has a long of its own
        equal((kind.__name__, got[k]), (type(v).__name__, v), k)


@check("publishing: many headers")
def many_headers(t):
    ch = t.channel()
    q = t.queue(ch)
    sent = {f"header-{i}": f"value {i}" for i in range(1000)}
    publish(ch, q, b"h", headers=sent)
    equal(get(ch, q)[1].headers, sent)


@check("publishing: bodies empty, binary and large")
def sizes(t):
    ch = t.channel(confirm=True)
    q = t.queue(ch)
    frame = ch.connection._impl.params.frame_max
    for body in (b"", bytes(range(256)) * 4, b"x" * (frame - 8), b"y" * (frame - 7), b"z" * (frame * 3), os.urandom(1 << 20)):
        publish(ch, q, body)
        got = get(ch, q)[2]
        holds(got == body, f"{len(body)} bytes came back as {len(got)}")


@check("publishing: a body of 20 MiB comes back, or is refused by its size")
def huge(t):
    """RabbitMQ takes 128 MiB, since 4.0 16 MiB, or what its configuration says."""
    c = t.connection()
    ch = c.channel()
    q = t.queue(ch)
    body = os.urandom(20 << 20)
    publish(ch, q, body)
    try:
        got = get(ch, q, 60)[2]
        holds(got == body, f"came back as {len(got)} bytes")
    except ChannelClosedByBroker as e:
        holds(e.reply_code == 406 and re.search(r"^PRECONDITION_FAILED - message size \d+ is larger than configured max size \d+$", e.reply_text), f"got {e}")
        publish(c.channel(), q, b"the connection lives")
        equal(bodies(c.channel(), q, 1), [b"the connection lives"])


@check("publishing: large bodies of two channels side by side")
def interleaved(t):
    c = t.connection()
    one, two = c.channel(), c.channel()
    q, r = t.queue(one), t.queue(two)
    first, second = consume(one, q, auto_ack=True), consume(two, r, auto_ack=True)
    for _ in range(5):
        publish(one, q, b"1" * 300000)
        publish(two, r, b"2" * 300000)
    until(one, lambda: len(first) == 5 and len(second) == 5, "ten large messages")
    holds(all(b == b"1" * 300000 for b in first.bodies()) and all(b == b"2" * 300000 for b in second.bodies()), "mixed up")


@check("publishing: order is kept")
def order(t):
    ch = t.channel()
    q = t.queue(ch)
    got = consume(ch, q, auto_ack=True)
    want = [str(i).encode() for i in range(2000)]
    publish(ch, q, *want)
    until(ch, lambda: len(got) == len(want), "all of them", 60)
    equal(got.bodies(), want)


@check("publishing: user-id is checked")
def user_id(t):
    c = t.connection()
    ch = c.channel()
    q = t.queue(ch)
    publish(ch, q, b"me", user_id="guest")
    equal(bodies(ch, q, 1), [b"me"])
    publish(ch, q, b"somebody", user_id="somebody")
    refused(406, "^PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'", ch.queue_declare, q, passive=True)
    equal(bodies(c.channel(), q, 0), [])


@check("publishing: mandatory returns what no queue takes")
def mandatory(t):
    ch = t.channel()
    x, q, returned = t.exchange(ch), t.queue(ch), []
    ch.queue_bind(q, x, "k")
    ch.add_on_return_callback(lambda _, method, properties, body: returned.append((method, properties, body)))
    send(ch, x, "k", b"routed", mandatory=True)
    send(ch, x, "nowhere", b"dropped")
    send(ch, x, "nowhere", b"back", mandatory=True, message_id="m", headers={"h": [1]})
    until(ch, lambda: returned, "the return")
    method, properties, body = returned[0]
    equal((method.reply_code, method.reply_text, method.exchange, method.routing_key, body), (312, "NO_ROUTE", x, "nowhere", b"back"))
    equal((properties.message_id, properties.headers), ("m", {"h": [1]}))
    equal((len(returned), bodies(ch, q, 1)), (1, [b"routed"]))


@check("confirms: each publish")
def confirms(t):
    ch = t.channel(confirm=True)
    q = t.queue(ch)
    for i in range(50):
        publish(ch, q, str(i).encode())
    equal(counts(ch, q)[0], 50)
    send(ch, "", t.name(), b"unroutable is confirmed too")


@check("confirms: a return comes before its ack")
def returned(t):
    ch = t.channel(confirm=True)
    try:
        send(ch, "", t.name(), b"back", mandatory=True)
    except UnroutableError as e:
        equal([(m.method.reply_code, m.body) for m in e.messages], [(312, b"back")])
        return
    raise AssertionError("not returned")


@check("confirms: many at once, singly or multiple, all acknowledged")
def asynchronous(t):
    """The blocking connection waits for each; its inner channel does not."""
    ch = t.channel()
    inner, q, acked, seen = ch._impl, t.queue(ch), set(), []

    def on_confirm(frame):
        seen.append(frame.method)
        m = frame.method
        acked.update(range(1, m.delivery_tag + 1) if m.multiple else [m.delivery_tag])

    done = []
    inner.confirm_delivery(on_confirm, lambda _: done.append(1))
    until(ch, lambda: done, "select-ok")
    for i in range(1000):
        inner.basic_publish("", q, str(i).encode(), pika.BasicProperties(delivery_mode=2))
    until(ch, lambda: len(acked) == 1000, "1000 confirms", 60)
    equal(acked, set(range(1, 1001)))
    equal({type(m).__name__ for m in seen}, {"Ack"})


@check("confirms: nack when the queue is full")
def nack(t):
    ch = t.channel(confirm=True)
    q = t.queue(ch, {"x-max-length": 2, "x-overflow": "reject-publish"})
    publish(ch, q, b"1", b"2")
    try:
        publish(ch, q, b"3")
    except NackError:
        pass
    else:
        raise AssertionError("confirmed")
    equal(bodies(ch, q, 2), [b"1", b"2"])
    publish(ch, q, b"4")
    equal(bodies(ch, q, 1), [b"4"])


@check("confirms: nack when one of the queues is full, the others have it")
def partial(t):
    ch = t.channel(confirm=True)
    x, full, free = t.exchange(ch, "fanout"), t.queue(ch, {"x-max-length": 1, "x-overflow": "reject-publish"}), t.queue(ch)
    ch.queue_bind(full, x)
    ch.queue_bind(free, x)
    send(ch, x, "", b"1")
    try:
        send(ch, x, "", b"2")
    except NackError:
        pass
    else:
        raise AssertionError("confirmed")
    equal((bodies(ch, full, 1), bodies(ch, free, 2)), ([b"1"], [b"1", b"2"]))


@check("confirms: persistent to a durable queue, then read by another connection")
def across(t):
    ch, other = t.channel(confirm=True), t.channel()
    q = t.queue(ch, durable=True)
    for i in range(20):
        publish(ch, q, str(i).encode(), delivery_mode=2)
        equal(other.basic_get(q, auto_ack=True)[2], str(i).encode())


@check("transactions: nothing before commit, all after, nothing after rollback")
def transactions(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(ch, durable=True)
    ch.tx_select()
    publish(ch, q, b"1", b"2")
    ch.connection.sleep(0.2)
    equal(counts(other, q)[0], 0)
    ch.tx_commit()
    equal(counts(other, q)[0], 2)
    publish(ch, q, b"3")
    ch.tx_rollback()
    ch.tx_commit()
    equal(bodies(other, q, 2), [b"1", b"2"])


@check("transactions: acks are part of them")
def transacted_acks(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(other, durable=True)
    publish(other, q, b"1", b"2")
    ch.tx_select()
    one, two = get(ch, q, auto_ack=False)[0].delivery_tag, get(ch, q, auto_ack=False)[0].delivery_tag
    ch.basic_ack(one)
    ch.tx_commit()
    ch.basic_ack(two)
    ch.tx_rollback()
    ch.connection.close()
    settled(other, q, 1)
    method, _, body = get(other, q)
    equal((body, method.redelivered), (b"2", True))


@check("transactions: and what is not in order")
def not_in_order(t):
    c = t.connection()
    refused(406, "^PRECONDITION_FAILED - channel is not transactional", c.channel().tx_commit)
    refused(406, "^PRECONDITION_FAILED - channel is not transactional", c.channel().tx_rollback)
    ch = c.channel()
    ch.tx_select()
    ch.tx_select()
    refused(406, "^PRECONDITION_FAILED - cannot switch from tx to confirm mode", ch.confirm_delivery)
    ch = c.channel()
    ch.confirm_delivery()
    refused(406, "^PRECONDITION_FAILED - cannot switch from confirm to tx mode", ch.tx_select)


@check("transactions: a mandatory message returns at commit")
def transacted_return(t):
    ch = t.channel()
    back = []
    ch.add_on_return_callback(lambda *a: back.append(a))
    ch.tx_select()
    send(ch, "", t.name(), b"x", mandatory=True)
    ch.connection.sleep(0.2)
    equal(back, [])
    ch.tx_commit()
    until(ch, lambda: back, "the return")
