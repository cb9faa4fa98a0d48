"""Queues: declaring, lifetimes, counts, what differs and what is refused."""

from harness import bodies, check, consume, counts, equal, expired, get, holds, publish, refused, settled, until


@check("queues: named by the server")
def server_named(t):
    ch = t.channel()
    one, two = ch.queue_declare("", exclusive=True).method.queue, ch.queue_declare("", exclusive=True).method.queue
    holds(one.startswith("amq.gen-") and one != two, f"{one} and {two}")
    publish(ch, one, b"x")
    equal(bodies(ch, one, 1), [b"x"])


@check("queues: the last one declared stands for an empty name")
def last_declared(t):
    ch = t.channel()
    name = ch.queue_declare("", exclusive=True).method.queue
    ch.queue_bind("", "amq.direct", t.prefix)
    ch.queue_bind("", "amq.direct")
    ch.basic_publish("amq.direct", t.prefix, b"1")
    ch.basic_publish("amq.direct", name, b"2")
    equal(ch.basic_get("", auto_ack=True)[2], b"1")
    equal(ch.queue_purge("").method.message_count, 1)
    c = t.connection()
    refused(404, "^NOT_FOUND - no previously declared queue", c.channel().basic_get, "")


@check("queues: amq. is reserved")
def reserved(t):
    refused(403, r"^ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq\.\*'", t.channel().queue_declare, "amq.mine")


@check("queues: passive says whether it is there, and its counts")
def passive(t):
    c = t.connection()
    ch = c.channel()
    name = t.name()
    refused(404, f"^NOT_FOUND - no queue '{name}' in vhost '/'$", c.channel().queue_declare, name, passive=True)
    q = t.queue(ch)
    publish(ch, q, b"1", b"2", b"3")
    settled(ch, q, 3)
    equal(counts(ch, q), (3, 0))
    other = t.connection().channel
    consume(ch, q, auto_ack=True)
    ch2 = c.channel()
    settled(ch2, q, 0)
    equal(counts(ch2, q), (0, 1))
    refused(405, "^RESOURCE_LOCKED", other().queue_declare, q, passive=True)


@check("queues: unacknowledged messages are not ready")
def ready(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, b"1", b"2", b"3")
    settled(ch, q, 3)
    method, _, _ = get(ch, q, auto_ack=False)
    equal(method.message_count, 2)
    equal(counts(ch, q)[0], 2)
    ch.basic_nack(method.delivery_tag, requeue=True)
    equal(counts(ch, q)[0], 3)


@check("queues: declared again as it is, or otherwise")
def equivalence(t):
    c = t.connection()
    q = t.queue(c.channel(), {"x-message-ttl": 60000, "x-max-length": 10}, durable=True)
    equal(c.channel().queue_declare(q, durable=True, arguments={"x-message-ttl": 60000, "x-max-length": 10, "unheard-of": 1}).method.queue, q)

    def other(field, received, current, **how):
        how = {"durable": True, "arguments": {"x-message-ttl": 60000, "x-max-length": 10}, **how}
        refused(406, f"^PRECONDITION_FAILED - inequivalent arg '{field}' for queue '{q}' in vhost '/': received {received} but current is {current}$",
                c.channel().queue_declare, q, **how)

    other("durable", "'false'", "'true'", durable=False)
    other("auto_delete", "'true'", "'false'", auto_delete=True)
    other("x-message-ttl", "(the value )?'5'( of type '[a-z]+')?", "(the value )?'60000'( of type '[a-z]+')?", arguments={"x-message-ttl": 5, "x-max-length": 10})
    other("x-max-length", "none", "the value '10' of type '[a-z]+'", arguments={"x-message-ttl": 60000})
    other("x-expires", "the value '9000' of type '[a-z]+'", "none", arguments={"x-message-ttl": 60000, "x-max-length": 10, "x-expires": 9000})
    other("x-max-priority", "the value '4' of type '[a-z]+'", "none", arguments={"x-message-ttl": 60000, "x-max-length": 10, "x-max-priority": 4})
    other("x-dead-letter-exchange", "the value 'x' of type 'longstr'", "none",
          arguments={"x-message-ttl": 60000, "x-max-length": 10, "x-dead-letter-exchange": "x"})
    c.channel().queue_declare(q, passive=True, durable=False)
    refused(405, "^RESOURCE_LOCKED", c.channel().queue_declare, q, durable=True, exclusive=True, arguments={"x-message-ttl": 60000, "x-max-length": 10})


@check("queues: arguments that make no sense")
def invalid(t):
    c = t.connection()
    for name, value, why in (("x-message-ttl", -1, ""), ("x-message-ttl", "60", ""), ("x-expires", 0, ""), ("x-expires", -1, ""), ("x-max-length", -1, ""),
                             ("x-max-length", "1", ""), ("x-max-length-bytes", -5, ""), ("x-overflow", "explode", ""), ("x-max-priority", -1, ""), ("x-max-priority", "high", ""),
                             ("x-dead-letter-exchange", 5, ""), ("x-queue-type", "deque", ""), ("x-queue-mode", "eager", ""),
                             ("x-single-active-consumer", "yes", "")):
        try:
            refused(406, f"^PRECONDITION_FAILED - .*{name}", c.channel().queue_declare, t.name(), exclusive=True, arguments={name: value})
        except AssertionError as e:
            raise AssertionError(f"{name}={value!r}: {e}") from None
    refused(406, "^PRECONDITION_FAILED - .*x-dead-letter-routing-key", c.channel().queue_declare, t.name(), exclusive=True, arguments={"x-dead-letter-routing-key": "k"})


@check("queues: durable ones and persistent messages outlive the connection")
def durable(t):
    ch = t.channel(confirm=True)
    q = t.queue(ch, durable=True)
    publish(ch, q, b"kept", delivery_mode=2)
    ch.connection.close()
    ch = t.channel()
    equal(ch.queue_declare(q, durable=True).method.message_count, 1)
    equal(bodies(ch, q, 1), [b"kept"])


@check("queues: exclusive ones are ours alone and go with the connection")
def exclusive(t):
    mine, theirs = t.connection(), t.connection()
    q = t.queue(mine.channel())
    text = f"^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{q}' in vhost '/'"
    for f, how in ((lambda ch: ch.queue_declare(q, exclusive=True), 0), (lambda ch: ch.queue_declare(q, passive=True), 0), (lambda ch: ch.basic_get(q), 0),
                   (lambda ch: ch.queue_bind(q, "amq.direct", "k"), 0), (lambda ch: ch.queue_purge(q), 0), (lambda ch: ch.queue_delete(q), 0),
                   (lambda ch: ch.basic_consume(q, print), 0)):
        refused(405, text, f, theirs.channel())
    publish(theirs.channel(), q, b"but anyone may publish")
    get(mine.channel(), q)
    equal(mine.channel().queue_declare(q, exclusive=True).method.queue, q)
    mine.close()
    until(theirs.channel(), lambda: not t.exists(queue=q), "the queue is gone")


@check("queues: auto-delete goes with its last consumer")
def auto_delete(t):
    ch = t.channel()
    q = t.queue(ch, auto_delete=True)
    holds(t.exists(queue=q), "gone before it had a consumer")
    one, two = consume(ch, q), consume(ch, q)
    ch.basic_cancel(one.tag)
    holds(t.exists(queue=q), "gone with a consumer left")
    ch.basic_cancel(two.tag)
    until(ch, lambda: not t.exists(queue=q), "the queue is gone")
    r = t.queue(ch, auto_delete=True)
    other = t.channel()
    consume(other, r)
    other.connection.close()
    until(ch, lambda: not t.exists(queue=r), "the queue of a closed connection is gone")


@check("queues: deleted, twice, if unused, if empty")
def delete(t):
    c = t.connection()
    ch = c.channel()
    q = t.queue(ch, durable=True)
    publish(ch, q, b"1", b"2")
    refused(406, f"^PRECONDITION_FAILED - queue '{q}' in vhost '/' not empty$|is not empty", c.channel().queue_delete, q, if_empty=True)
    holder = t.channel()
    consume(holder, q, auto_ack=False)
    refused(406, f"^PRECONDITION_FAILED - queue '{q}' in vhost '/' in use$", c.channel().queue_delete, q, if_unused=True)
    holder.connection.close()
    settled(ch, q, 2)
    equal(ch.queue_delete(q, if_unused=True).method.message_count, 2)
    equal(ch.queue_delete(q).method.message_count, 0)
    r = t.queue(ch, durable=True)
    equal(ch.queue_delete(r, if_empty=True).method.message_count, 0)
    t.queue(ch, name=r, exclusive=True)


@check("queues: deleting one takes its bindings and messages")
def delete_bindings(t):
    ch = t.channel()
    x, q = t.exchange(ch), t.queue(ch)
    ch.queue_bind(q, x, "k")
    publish(ch, q, b"gone")
    ch.queue_delete(q)
    t.queue(ch, name=q, exclusive=True)
    ch.basic_publish(x, "k", b"not bound")
    equal(bodies(ch, q, 0), [])


@check("queues: purge takes what is ready")
def purge(t):
    ch = t.channel()
    q = t.queue(ch)
    publish(ch, q, *[b"x"] * 10)
    tag = get(ch, q, auto_ack=False)[0].delivery_tag
    equal(ch.queue_purge(q).method.message_count, 9)
    equal(ch.queue_purge(q).method.message_count, 0)
    ch.basic_nack(tag)
    equal(bodies(ch, q, 1), [b"x"])


@check("queues: expires when unused")
def expires(t):
    ch = t.channel()
    used, idle = t.queue(ch, {"x-expires": 3000}, durable=True), t.queue(ch, {"x-expires": 1000}, durable=True)
    consume(ch, used)
    publish(ch, idle, b"messages do not keep it")
    ch.connection.sleep(2.5)
    expired(t, idle, 1)
    holds(t.exists(queue=used), "the used one is gone")


@check("queues: get and declare renew expires")
def renewed(t):
    ch = t.channel()
    arguments = {"x-expires": 4000}
    q = t.queue(ch, arguments, durable=True)
    publish(ch, q, b"it is still the same one")
    for use in (lambda: ch.queue_declare(q, durable=True, arguments=arguments), lambda: ch.basic_get(q), lambda: ch.queue_declare(q, passive=True)):
        ch.connection.sleep(2.2)  # two of them are longer than it lives
        use()
    expired(t, q, 4)


@check("queues: names in any UTF-8, up to 255 bytes")
def names(t):
    ch = t.channel()
    for name in (t.prefix + "나루 한/글 🛶", (t.prefix + "q" * 255)[:255], t.prefix + "a/b:c d#e*.."):
        q = t.queue(ch, name=name, exclusive=True)
        publish(ch, q, name.encode())
        equal(bodies(ch, q, 1), [name.encode()])


@check("queues: durable means nothing to an exclusive one")
def durable_exclusive(t):
    ch = t.channel()
    q = t.queue(ch, exclusive=True, durable=True)
    ch.queue_declare(q, exclusive=True, durable=False)
