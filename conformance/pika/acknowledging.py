"""Ack, nack, reject, recover."""

from harness import bodies, check, consume, counts, cut_off, equal, get, publish, refused, settled, until


def take(ch, q, n):
    return [get(ch, q, auto_ack=False)[0].delivery_tag for _ in range(n)]


@check("acknowledging: one")
def one(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(ch, durable=True)
    publish(ch, q, b"1", b"2", b"3")
    tags = take(ch, q, 3)
    ch.basic_ack(tags[1])
    ch.queue_declare(q, passive=True)
    ch.connection.close()
    settled(other, q, 2)
    equal(bodies(other, q, 2), [b"1", b"3"])


@check("acknowledging: multiple, up to a tag, and all")
def multiple(t):
    ch, other = t.channel(), t.channel()
    q = t.queue(ch, durable=True)
    publish(ch, q, *[str(i).encode() for i in range(10)])
    tags = take(ch, q, 10)
    ch.basic_ack(tags[1])
    ch.basic_ack(tags[5], multiple=True)
    ch.queue_declare(q, passive=True)
    ch.connection.close()
    settled(other, q, 4)
    take(other, q, 4)
    other.basic_ack(0, multiple=True)
    other.basic_ack(0, multiple=True)
    other.queue_declare(q, passive=True)
    other.connection.close()
    last = t.channel()
    equal(counts(last, q)[0], 0)


@check("acknowledging: reject, with and without requeue")
def reject(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", b"2")
    a, b = take(ch, q, 2)
    ch.basic_reject(a, requeue=True)
    ch.basic_reject(b, requeue=False)
    method, _, body = get(ch, q)
    equal((body, method.redelivered), (b"1", True))
    equal(bodies(ch, q, 0), [])


@check("acknowledging: nack multiple, with and without requeue")
def nack(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, *[str(i).encode() for i in range(6)])
    tags = take(ch, q, 6)
    ch.basic_nack(tags[2], multiple=True, requeue=True)
    ch.basic_nack(tags[4], multiple=True, requeue=False)
    equal(bodies(ch, q, 3), [b"0", b"1", b"2"])
    ch.basic_nack(0, multiple=True, requeue=True)
    equal(bodies(ch, q, 1), [b"5"])


@check("acknowledging: requeued messages go back to their place")
def place(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, *[str(i).encode() for i in range(5)])
    tags = take(ch, q, 3)
    for tag in (tags[2], tags[0], tags[1]):
        ch.basic_nack(tag, requeue=True)
    again = [get(ch, q) for _ in range(5)]
    equal([b for _, _, b in again], [b"0", b"1", b"2", b"3", b"4"])
    equal([m.redelivered for m, _, _ in again], [True, True, True, False, False])


@check("acknowledging: what another channel received, twice, or never")
def unknown(t):
    c = t.connection()
    ch = c.channel()
    q = t.queue(ch)
    publish(ch, q, b"1")
    tag = take(ch, q, 1)[0]
    refused(406, "^PRECONDITION_FAILED - unknown delivery tag 1$", closing(c.channel(), "basic_ack", tag))
    refused(406, "^PRECONDITION_FAILED - unknown delivery tag 77$", closing(c.channel(), "basic_ack", 77, multiple=True))
    refused(406, "^PRECONDITION_FAILED - unknown delivery tag 77$", closing(c.channel(), "basic_nack", 77))
    refused(406, "^PRECONDITION_FAILED - unknown delivery tag 77$", closing(c.channel(), "basic_reject", 77))
    ch.basic_ack(tag)
    refused(406, "^PRECONDITION_FAILED - unknown delivery tag 1$", closing(ch, "basic_ack", tag))


def closing(ch, method, *args, **how):
    def f():
        getattr(ch, method)(*args, **how)
        ch.queue_declare("", exclusive=True)
    return f


@check("acknowledging: of an automatically acknowledged delivery")
def automatic(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1")
    got = consume(ch, q, auto_ack=True)
    until(ch, lambda: got, "a delivery")
    refused(406, "^PRECONDITION_FAILED - unknown delivery tag 1$", closing(ch, "basic_ack", 1))


@check("acknowledging: a closed channel returns what it held")
def closed(t):
    c = t.connection()
    ch, other = c.channel(), c.channel()
    q = t.queue(other)
    publish(other, q, b"1", b"2")
    got = consume(ch, q)
    until(ch, lambda: len(got) == 2, "two")
    ch.close()
    again = [get(other, q) for _ in range(2)]
    equal([(m.redelivered, b) for m, _, b in again], [(True, b"1"), (True, b"2")])


@check("acknowledging: an erring channel returns what it held")
def erred(t):
    c = t.connection()
    ch, other = c.channel(), c.channel()
    q = t.queue(other)
    publish(other, q, b"1", b"2")
    take(ch, q, 2)
    refused(406, "unknown delivery tag 9", closing(ch, "basic_ack", 9))
    equal([(m.redelivered, b) for m, _, b in (get(other, q) for _ in range(2))], [(True, b"1"), (True, b"2")])


@check("acknowledging: recover requeues")
def recover(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", b"2")
    got = consume(ch, q)
    until(ch, lambda: len(got) == 2, "two")
    ch.basic_recover(requeue=True)
    until(ch, lambda: len(got) == 4, "two again")
    equal([(m.redelivered, m.delivery_tag, b) for m, _, b in got[2:]], [(True, 3, b"1"), (True, 4, b"2")])
    refused(406, "unknown delivery tag 1", closing(ch, "basic_ack", 1))


@check("acknowledging: recover without requeue is not implemented")
def recover_here(t):
    ch = t.channel()
    cut_off(540, "^NOT_IMPLEMENTED - requeue=false", ch.basic_recover, requeue=False)
