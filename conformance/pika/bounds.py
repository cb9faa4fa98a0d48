"""Time to live, bounded lengths and priorities."""

import time

from pika.exceptions import NackError

from harness import bodies, check, consume, counts, equal, get, holds, publish, quiet, refused, settled, until


@check("time to live: of the queue")
def queue_ttl(t):
    ch = t.channel()
    q = t.queue(ch, {"x-message-ttl": 2000})
    publish(ch, q, b"1", b"2")
    settled(ch, q, 2, 2)
    settled(ch, q, 0)
    equal(bodies(ch, q, 0), [])


@check("time to live: of each message")
def message_ttl(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"short", expiration="200")
    publish(ch, q, b"stays")
    publish(ch, q, b"long", expiration="600000")
    settled(ch, q, 2)
    equal(bodies(ch, q, 2), [b"stays", b"long"])


@check("time to live: the shorter of the two")
def shorter(t):
    ch = t.channel()
    q = t.queue(ch, {"x-message-ttl": 2000})
    publish(ch, q, b"1", expiration="600000")
    settled(ch, q, 1, 2)
    settled(ch, q, 0)
    r = t.queue(ch, {"x-message-ttl": 600000})
    publish(ch, r, b"1", expiration="2000")
    settled(ch, r, 1, 2)
    settled(ch, r, 0)


@check("time to live: 0 is delivered at once or not at all")
def zero(t):
    ch = t.channel()
    q = t.queue(ch, {"x-message-ttl": 0})
    publish(ch, q, b"nobody waits")
    ch.connection.sleep(0.2)
    equal(bodies(ch, q, 0), [])
    got = consume(ch, q, auto_ack=True)
    publish(ch, q, b"somebody waits")
    until(ch, lambda: got, "the delivery")
    r = t.queue(ch)
    publish(ch, r, b"x", expiration="0")
    ch.connection.sleep(0.2)
    equal(bodies(ch, r, 0), [])


@check("time to live: does not run for what a consumer holds")
def held(t):
    ch = t.channel()
    q = t.queue(ch, {"x-message-ttl": 2000})
    publish(ch, q, b"1")
    tag = get(ch, q, auto_ack=False)[0].delivery_tag
    ch.connection.sleep(2.3)
    ch.basic_ack(tag)
    publish(ch, q, b"2")
    tag = get(ch, q, auto_ack=False)[0].delivery_tag
    ch.connection.sleep(2.3)
    ch.basic_nack(tag, requeue=True)
    ch.connection.sleep(0.2)
    equal(bodies(ch, q, 0), [])


@check("time to live: expiration that is no number")
def bad_expiration(t):
    c = t.connection()
    for value in ("soon", "-1", "1.5", ""):
        ch = c.channel()
        q = t.queue(ch)
        publish(ch, q, b"x", expiration=value)
        refused(406, f"^PRECONDITION_FAILED - invalid expiration '{value}'", ch.queue_declare, q, passive=True)


@check("bounds: max-length drops the oldest")
def drop_head(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-length": 3})
    publish(ch, q, *[str(i).encode() for i in range(10)])
    settled(ch, q, 3)
    equal(bodies(ch, q, 3), [b"7", b"8", b"9"])


@check("bounds: max-length counts what is ready")
def ready(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-length": 2})
    publish(ch, q, b"1", b"2")
    tag = get(ch, q, auto_ack=False)[0].delivery_tag
    publish(ch, q, b"3")
    settled(ch, q, 2)
    ch.basic_nack(tag, requeue=True)
    settled(ch, q, 2)
    equal(bodies(ch, q, 2), [b"2", b"3"])


@check("bounds: max-length-bytes")
def length_bytes(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-length-bytes": 1000})
    publish(ch, q, *[bytes([65 + i]) * 300 for i in range(6)])
    settled(ch, q, 3)
    equal([b[:1] for b in bodies(ch, q, 3)], [b"D", b"E", b"F"])
    publish(ch, q, b"x" * 2000)
    ch.connection.sleep(0.2)
    equal(bodies(ch, q, 0), [])


@check("bounds: max-length 0 keeps nothing")
def none(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-length": 0})
    publish(ch, q, b"1", b"2")
    ch.connection.sleep(0.2)
    equal(bodies(ch, q, 0), [])


@check("bounds: reject-publish by bytes")
def reject_bytes(t):
    ch = t.channel(confirm=True)
    q = t.queue(ch, {"x-max-length-bytes": 500, "x-overflow": "reject-publish"})
    publish(ch, q, b"x" * 400)
    try:
        publish(ch, q, b"y" * 400)
    except NackError:
        pass
    else:
        raise AssertionError("confirmed")
    publish(ch, q, b"z" * 50)
    equal([b[:1] for b in bodies(ch, q, 2)], [b"x", b"z"])


@check("bounds: reject-publish drops silently without confirms")
def silent(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-length": 1, "x-overflow": "reject-publish"})
    publish(ch, q, b"1", b"2")
    ch.connection.sleep(0.2)
    equal(bodies(ch, q, 1), [b"1"])


@check("priorities: higher first, in order within one")
def priorities(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-priority": 5})
    for i, p in enumerate((1, 5, 3, None, 0, 3, 5)):
        publish(ch, q, f"{p}.{i}".encode(), priority=p)
    settled(ch, q, 7)
    equal(bodies(ch, q, 7), [b"5.1", b"5.6", b"3.2", b"3.5", b"1.0", b"None.3", b"0.4"])


@check("priorities: above the maximum counts as the maximum, and comes back as sent")
def above(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-priority": 3})
    for p in (2, 9, 3, 200):
        publish(ch, q, str(p).encode(), priority=p)
    settled(ch, q, 4)
    got = [get(ch, q) for _ in range(4)]
    equal([(b, p.priority) for _, p, b in got], [(b"9", 9), (b"3", 3), (b"200", 200), (b"2", 2)])


@check("priorities: requeued goes first within its own")
def requeued(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-priority": 2})
    publish(ch, q, b"low 1", b"low 2", priority=0)
    settled(ch, q, 2)
    tag = get(ch, q, auto_ack=False)[0].delivery_tag
    publish(ch, q, b"high", priority=2)
    ch.basic_nack(tag, requeue=True)
    settled(ch, q, 3)
    equal(bodies(ch, q, 3), [b"high", b"low 1", b"low 2"])


@check("priorities: none without x-max-priority")
def no_priorities(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"0", priority=0)
    publish(ch, q, b"9", priority=9)
    equal(bodies(ch, q, 2), [b"0", b"9"])


@check("priorities: consumers, purge and counts see all of them")
def together(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-priority": 9})
    for p in range(10):
        publish(ch, q, b"x", priority=p)
    settled(ch, q, 10)
    equal(ch.queue_purge(q).method.message_count, 10)
    got = consume(ch, q, auto_ack=True)
    for p in range(10):
        publish(ch, q, b"x", priority=p)
    until(ch, lambda: len(got) == 10, "ten")
    quiet(ch, got)
    equal(counts(ch, q)[0], 0)


@check("priorities: expired and dropped across levels")
def across(t):
    ch = t.channel()
    q = t.queue(ch, {"x-max-priority": 2, "x-max-length": 2})
    for p in (2, 1, 0):
        publish(ch, q, str(p).encode(), priority=p)
    settled(ch, q, 2)
    equal(len(bodies(ch, q, 2)), 2)
    r = t.queue(ch, {"x-max-priority": 2})
    publish(ch, r, b"short", priority=0, expiration="200")
    publish(ch, r, b"stays", priority=2)
    settled(ch, r, 1)
    holds(get(ch, r)[2] == b"stays", "order")
    equal(bodies(ch, r, 0), [])


@check("time to live: up to ten years")
def ten_years(t):
    """Celery delays tasks with queues of up to 2^27 seconds."""
    c = t.connection()
    years = 315_360_000_000
    for name in ("x-message-ttl", "x-expires"):
        t.queue(c.channel(), {name: years})
        refused(406, f"^PRECONDITION_FAILED - invalid arg '{name}'", c.channel().queue_declare, t.name(), exclusive=True, arguments={name: years + 1})
    ch = c.channel()
    q = t.queue(ch)
    publish(ch, q, b"long", expiration=str(years))
    equal(get(ch, q)[1].expiration, str(years))
    publish(ch, q, b"longer", expiration=str(years + 1))
    refused(406, "^PRECONDITION_FAILED - invalid expiration", ch.queue_declare, q, passive=True)


@check("time to live: many levels of queues, as Celery's delayed delivery has them")
def levels(t):
    """The key's first words are the bits of the delay: 1 waits at its level, 0 goes on to the next."""
    ch = t.channel()
    depth = 6
    exchanges = [t.exchange(ch, "topic") for _ in range(depth + 1)]  # the last is where delayed messages arrive
    for level, (x, following) in enumerate(zip(exchanges, exchanges[1:])):
        wait = t.queue(ch, {"x-message-ttl": 6400 >> level, "x-dead-letter-exchange": following, "x-overflow": "reject-publish"})
        ch.queue_bind(wait, x, "*." * level + "1.#")
        ch.exchange_bind(following, x, "*." * level + "0.#")
    q = t.queue(ch)
    ch.queue_bind(q, exchanges[-1], "#.task")
    start = time.monotonic()
    got = consume(ch, q, auto_ack=True)
    for bits, body in (("0.1.0.0.0.0", b"3200"), ("0.0.0.1.1.0", b"1200"), ("0.0.0.0.0.0", b"0")):
        ch.basic_publish(exchanges[0], bits + ".task", body)
    until(ch, lambda: len(got) == 3, "all three")
    equal(got.bodies(), [b"0", b"1200", b"3200"])
    equal([len((p.headers or {}).get("x-death", [])) for _, p, _ in got], [0, 2, 1])
    holds(3.15 < time.monotonic() - start < 6.3, f"{time.monotonic() - start:.2f} s")
