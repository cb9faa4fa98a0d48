"""Dead-letter exchanges and what x-death says."""

import datetime

from pika.exceptions import NackError

from harness import bodies, check, consume, equal, get, holds, publish, send, settled, until


def dead_letter_pair(t, ch, key=None, **arguments):
    """A queue, and the one where its dead letters go."""
    x, dead = t.exchange(ch, "fanout"), t.queue(ch)
    ch.queue_bind(dead, x)
    arguments = {k.replace("_", "-"): v for k, v in arguments.items()}
    arguments["x-dead-letter-exchange"] = x
    if key is not None:
        arguments["x-dead-letter-routing-key"] = key
    return t.queue(ch, arguments), dead, x


def death(entry):
    """An entry of x-death without its time, which must be one."""
    entry = dict(entry)
    age = abs(datetime.datetime.utcnow().timestamp() - entry.pop("time").replace(tzinfo=None).timestamp())
    holds(age < 60, f"{age} s ago")
    return entry


@check("dead letters: rejected")
def rejected(t):
    ch = t.channel()
    q, dead, x = dead_letter_pair(t, ch)
    publish(ch, q, b"nacked", message_id="m", headers={"kept": "yes"}, delivery_mode=2)
    publish(ch, q, b"rejected")
    ch.basic_nack(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    ch.basic_reject(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    for body in (b"nacked", b"rejected"):
        method, properties, got = get(ch, dead)
        equal((got, method.exchange, method.routing_key, method.redelivered), (body, x, q, False))
        h = properties.headers
        equal([death(d) for d in h["x-death"]], [{"count": 1, "reason": "rejected", "queue": q, "exchange": "", "routing-keys": [q]}])
        equal((h["x-first-death-reason"], h["x-first-death-queue"], h["x-first-death-exchange"]), ("rejected", q, ""))
        if body == b"nacked":
            equal((h["kept"], properties.message_id, properties.delivery_mode), ("yes", "m", 2))


@check("dead letters: expired, by the queue")
def expired(t):
    ch = t.channel()
    q, dead, x = dead_letter_pair(t, ch, x_message_ttl=200)
    publish(ch, q, b"1")
    _, properties, _ = get(ch, dead)
    equal([death(d) for d in properties.headers["x-death"]], [{"count": 1, "reason": "expired", "queue": q, "exchange": "", "routing-keys": [q]}])
    equal(properties.expiration, None)


@check("dead letters: expired, by the message, whose expiration is taken off")
def expired_message(t):
    ch = t.channel()
    q, dead, x = dead_letter_pair(t, ch)
    publish(ch, q, b"1", expiration="200")
    _, properties, _ = get(ch, dead)
    equal([death(d) for d in properties.headers["x-death"]],
          [{"count": 1, "reason": "expired", "queue": q, "exchange": "", "routing-keys": [q], "original-expiration": "200"}])
    equal(properties.expiration, None)


@check("dead letters: in the order in which they expire")
def expiry_order(t):
    ch = t.channel()
    q, dead, _ = dead_letter_pair(t, ch, x_message_ttl=300)
    got = consume(ch, dead, auto_ack=True)
    publish(ch, q, *[str(i).encode() for i in range(20)])
    until(ch, lambda: len(got) == 20, "twenty dead letters")
    equal(got.bodies(), [str(i).encode() for i in range(20)])


@check("dead letters: dropped for length")
def maxlen(t):
    ch = t.channel()
    q, dead, _ = dead_letter_pair(t, ch, x_max_length=1)
    publish(ch, q, b"1", b"2", b"3")
    for body in (b"1", b"2"):
        _, properties, got = get(ch, dead)
        equal(got, body)
        equal([death(d) for d in properties.headers["x-death"]], [{"count": 1, "reason": "maxlen", "queue": q, "exchange": "", "routing-keys": [q]}])
    equal(bodies(ch, q, 1), [b"3"])


@check("dead letters: reject-publish-dlx refuses and keeps")
def reject_publish_dlx(t):
    ch = t.channel(confirm=True)
    q, dead, _ = dead_letter_pair(t, ch, x_max_length=1, x_overflow="reject-publish-dlx")
    publish(ch, q, b"1")
    try:
        publish(ch, q, b"2")
    except NackError:
        pass
    else:
        raise AssertionError("confirmed")
    _, properties, body = get(ch, dead)
    equal((body, properties.headers["x-death"][0]["reason"]), (b"2", "maxlen"))
    equal(bodies(ch, q, 1), [b"1"])


@check("dead letters: with a key of their own")
def own_key(t):
    ch = t.channel()
    x, dead, other = t.exchange(ch, "direct"), t.queue(ch), t.queue(ch)
    ch.queue_bind(dead, x, "the dead")
    ch.queue_bind(other, x, "k")
    y = t.exchange(ch, "direct")
    q = t.queue(ch, {"x-dead-letter-exchange": x, "x-dead-letter-routing-key": "the dead"})
    ch.queue_bind(q, y, "k")
    send(ch, y, "k", b"1")
    ch.basic_reject(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    method, properties, _ = get(ch, dead)
    equal((method.exchange, method.routing_key), (x, "the dead"))
    equal([death(d) for d in properties.headers["x-death"]], [{"count": 1, "reason": "rejected", "queue": q, "exchange": y, "routing-keys": ["k"]}])
    equal(bodies(ch, other, 0), [])


@check("dead letters: CC is a key too, unless there is a key of their own")
def carbon_copies(t):
    ch = t.channel()
    q, dead, x = dead_letter_pair(t, ch)
    publish(ch, q, b"1", headers={"CC": ["also"]})
    ch.basic_reject(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    h = get(ch, dead)[1].headers
    equal(death(h["x-death"][0])["routing-keys"], [q, "also"])
    r, dead, _ = dead_letter_pair(t, ch, key="k")
    publish(ch, r, b"2", headers={"CC": ["also"]})
    ch.basic_reject(get(ch, r, auto_ack=False)[0].delivery_tag, requeue=False)
    h = get(ch, dead)[1].headers
    holds("CC" not in h, f"CC is {h.get('CC')}")
    equal(death(h["x-death"][0])["routing-keys"], [r, "also"])


@check("dead letters: counts per queue and reason, the latest first")
def counted(t):
    """A retry loop: rejected from work, expired from wait, back to work."""
    ch = t.channel()
    work, wait = t.name("work"), t.name("wait")
    t.queue(ch, {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait}, work, exclusive=True)
    t.queue(ch, {"x-message-ttl": 100, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work}, wait, exclusive=True)
    publish(ch, work, b"again")
    for turn in range(5):
        method, properties, _ = get(ch, work, auto_ack=False)
        deaths = [death(d) for d in (properties.headers or {}).get("x-death", [])]
        if turn:
            equal(deaths, [{"count": turn, "reason": "expired", "queue": wait, "exchange": "", "routing-keys": [wait]},
                           {"count": turn, "reason": "rejected", "queue": work, "exchange": "", "routing-keys": [work]}], f"turn {turn}")
            h = properties.headers
            equal((h["x-first-death-reason"], h["x-first-death-queue"], h["x-first-death-exchange"]), ("rejected", work, ""))
        else:
            equal(deaths, [])
        ch.basic_reject(method.delivery_tag, requeue=False) if turn < 4 else ch.basic_ack(method.delivery_tag)


@check("dead letters: a circle without a rejection is cut")
def cycle(t):
    ch = t.channel()
    a, b = t.name("a"), t.name("b")
    t.queue(ch, {"x-message-ttl": 100, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": b}, a, exclusive=True)
    t.queue(ch, {"x-message-ttl": 100, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": a}, b, exclusive=True)
    publish(ch, a, b"round")
    ch.connection.sleep(0.8)
    settled(ch, a, 0)
    settled(ch, b, 0)
    own = t.name("own")
    t.queue(ch, {"x-message-ttl": 2000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": own}, own, exclusive=True)
    publish(ch, own, b"to itself")
    settled(ch, own, 1, 2)
    settled(ch, own, 0)


@check("dead letters: a circle with a rejection goes on")
def rejected_cycle(t):
    ch = t.channel()
    q = t.name("own")
    t.queue(ch, {"x-dead-letter-exchange": ""}, q, exclusive=True)
    publish(ch, q, b"again")
    for turn in range(4):
        method, properties, _ = get(ch, q, auto_ack=False)
        if turn:
            equal([death(d)["count"] for d in properties.headers["x-death"]], [turn])
        ch.basic_reject(method.delivery_tag, requeue=False)
    equal(get(ch, q)[1].headers["x-death"][0]["count"], 4)


@check("dead letters: to an exchange that is not there are dropped")
def absent(t):
    ch = t.channel()
    q = t.queue(ch, {"x-dead-letter-exchange": t.name("absent")})
    publish(ch, q, b"1")
    ch.basic_reject(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    publish(ch, q, b"2")
    equal(bodies(ch, q, 1), [b"2"])


@check("dead letters: not what is purged, deleted or acknowledged")
def not_dead(t):
    ch = t.channel()
    q, dead, _ = dead_letter_pair(t, ch)
    publish(ch, q, b"1", b"2", b"3")
    settled(ch, q, 3)
    ch.basic_ack(get(ch, q, auto_ack=False)[0].delivery_tag)
    ch.queue_purge(q)
    publish(ch, q, b"4")
    ch.queue_delete(q)
    ch.connection.sleep(0.2)
    equal(bodies(ch, dead, 0), [])


@check("dead letters: to several queues, by a topic exchange")
def several(t):
    ch = t.channel()
    x, one, two = t.exchange(ch, "topic"), t.queue(ch), t.queue(ch)
    ch.queue_bind(one, x, "#")
    ch.queue_bind(two, x, "order.*")
    y = t.exchange(ch, "topic")
    q = t.queue(ch, {"x-dead-letter-exchange": x})
    ch.queue_bind(q, y, "#")
    for key in ("order.new", "invoice.new"):
        send(ch, y, key, key.encode())
        ch.basic_reject(get(ch, q, auto_ack=False)[0].delivery_tag, requeue=False)
    equal(bodies(ch, one, 2), [b"order.new", b"invoice.new"])
    equal(bodies(ch, two, 1), [b"order.new"])


@check("dead letters: nacked together")
def together(t):
    ch = t.channel()
    q, dead, _ = dead_letter_pair(t, ch)
    publish(ch, q, *[str(i).encode() for i in range(50)])
    got = consume(ch, q)
    until(ch, lambda: len(got) == 50, "fifty")
    ch.basic_nack(got[-1][0].delivery_tag, multiple=True, requeue=False)
    equal(bodies(ch, dead, 50), [str(i).encode() for i in range(50)])
