"""Exchanges: declaring, deleting, what differs and what is refused."""

from pika.exceptions import AMQPError

from harness import bodies, check, equal, holds, publish, refused, send


@check("exchanges: the ones that are always there")
def predeclared(t):
    ch = t.channel()
    for name, kind in (("amq.direct", "direct"), ("amq.fanout", "fanout"), ("amq.topic", "topic"),
                       ("amq.headers", "headers"), ("amq.match", "headers")):
        ch.exchange_declare(name, kind, durable=True)
        ch.exchange_declare(name, passive=True)


@check("exchanges: the default one cannot be touched")
def default(t):
    c = t.connection()
    q = t.queue(c.channel())
    refused(403, "^ACCESS_REFUSED - operation not permitted on the default exchange", c.channel().exchange_declare, "", "direct", durable=True)
    refused(403, "^ACCESS_REFUSED - operation not permitted on the default exchange", c.channel().exchange_delete, "")
    refused(403, "^ACCESS_REFUSED - operation not permitted on the default exchange", c.channel().queue_bind, q, "", "k")
    refused(403, "^ACCESS_REFUSED - operation not permitted on the default exchange", c.channel().queue_unbind, q, "", q)


@check("exchanges: amq. is reserved")
def reserved(t):
    c = t.connection()
    refused(403, r"^ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq\.\*'", c.channel().exchange_declare, "amq.mine", "direct")
    refused(404, "^NOT_FOUND - no exchange 'amq.mine' in vhost '/'", c.channel().exchange_declare, "amq.mine", "direct", passive=True)
    refused(403, "^ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", c.channel().exchange_delete, "amq.direct")


@check("exchanges: an unknown type")
def unknown_type(t):
    name = t.name()
    try:
        t.channel().exchange_declare(name, "rocket")
    except AMQPError as e:
        # The connection's error, since 4.0 the channel's.
        want = [(503, "COMMAND_INVALID - unknown exchange type 'rocket'"), (406, "PRECONDITION_FAILED - unknown exchange type 'rocket'")]
        holds((e.reply_code, e.reply_text) in want, f"got {e!r}")
    else:
        raise AssertionError("declared")
    holds(not t.exists(exchange=name), "it exists")


@check("exchanges: declared again as it is, or otherwise")
def equivalence(t):
    c = t.connection()
    x = t.exchange(c.channel(), "direct")
    c.channel().exchange_declare(x, "direct")

    def other(field, received, current, kind="direct", **how):
        refused(406, f"^PRECONDITION_FAILED - inequivalent arg '{field}' for exchange '{x}' in vhost '/': received {received} but current is {current}$",
                c.channel().exchange_declare, x, kind, **how)

    other("type", "'fanout'", "'direct'", "fanout")
    other("durable", "'true'", "'false'", durable=True)
    other("auto_delete", "'true'", "'false'", auto_delete=True)
    other("internal", "'true'", "'false'", internal=True)
    other("alternate-exchange", "the value 'amq.fanout' of type 'longstr'", "none", arguments={"alternate-exchange": "amq.fanout"})
    y = t.exchange(c.channel(), "direct", arguments={"alternate-exchange": "amq.fanout"})
    refused(406, "inequivalent arg 'alternate-exchange' .*received none but current is the value 'amq.fanout' of type 'longstr'",
            c.channel().exchange_declare, y, "direct")
    c.channel().exchange_declare(x, "topic", passive=True)
    c.channel().exchange_declare(x, "direct", arguments={"unheard-of": "is ignored"})


@check("exchanges: deleted, twice, and when in use")
def delete(t):
    c = t.connection()
    ch = c.channel()
    x, q = t.exchange(ch), t.queue(ch)
    ch.queue_bind(q, x, "k")
    refused(406, f"^PRECONDITION_FAILED - exchange '{x}' in vhost '/' in use$", c.channel().exchange_delete, x, if_unused=True)
    ch.queue_unbind(q, x, "k")
    ch.exchange_delete(x, if_unused=True)
    ch.exchange_delete(x)
    holds(not t.exists(exchange=x), "it exists")
    y = t.exchange(ch)
    ch.queue_bind(q, y, "k")
    ch.exchange_delete(y)
    t.exchange(ch, name=y)
    send(ch, y, "k", b"the binding went with it")
    equal(bodies(ch, q, 0), [])


@check("exchanges: durable ones and their bindings outlive the connection")
def durable(t):
    ch = t.channel()
    x = t.exchange(ch, "topic", durable=True)
    q = t.queue(ch, durable=True)
    ch.queue_bind(q, x, "a.#")
    ch.connection.close()
    ch = t.channel()
    ch.exchange_declare(x, passive=True)
    send(ch, x, "a.b", b"kept", delivery_mode=2)
    equal(bodies(ch, q, 1), [b"kept"])


@check("exchanges: auto-delete goes with its last binding")
def auto_delete(t):
    ch = t.channel()
    x = t.exchange(ch, "fanout", auto_delete=True)
    holds(t.exists(exchange=x), "gone before it was bound")
    q, r = t.queue(ch), t.queue(ch)
    ch.queue_bind(q, x)
    ch.queue_bind(r, x)
    ch.queue_unbind(q, x)
    holds(t.exists(exchange=x), "gone with a binding left")
    ch.queue_delete(r)
    holds(not t.exists(exchange=x), "still there")
    y = t.exchange(ch, "fanout", auto_delete=True)
    z = t.exchange(ch, "fanout")
    ch.exchange_bind(z, y)
    ch.exchange_unbind(z, y)
    holds(not t.exists(exchange=y), "still there after exchange.unbind")


@check("exchanges: internal takes nothing from publishers")
def internal(t):
    c = t.connection()
    ch = c.channel()
    inner, outer, q = t.exchange(ch, "fanout", internal=True), t.exchange(ch, "fanout"), t.queue(ch)
    ch.exchange_bind(inner, outer)
    ch.queue_bind(q, inner)
    send(ch, outer, "", b"through")
    equal(bodies(ch, q, 1), [b"through"])
    bad = c.channel()
    send(bad, inner, "", b"no")
    refused(403, f"^ACCESS_REFUSED - cannot publish to internal exchange '{inner}' in vhost '/'", bad.queue_declare, q, passive=True)


@check("exchanges: publishing to none closes the channel")
def absent(t):
    c = t.connection()
    ch = c.channel()
    x = t.name()
    send(ch, x, "k")
    refused(404, f"^NOT_FOUND - no exchange '{x}' in vhost '/'$", ch.queue_declare, "", exclusive=True)
    ch = c.channel()
    publish(ch, t.name(), b"to no queue: dropped")
    ch.queue_declare("", exclusive=True)


@check("exchanges: bindings need both ends")
def both_ends(t):
    c = t.connection()
    x, q, no = t.exchange(c.channel()), t.queue(c.channel()), t.name()
    refused(404, f"^NOT_FOUND - no exchange '{no}' in vhost '/'$", c.channel().queue_bind, q, no, "k")
    refused(404, f"^NOT_FOUND - no queue '{no}' in vhost '/'$", c.channel().queue_bind, no, x, "k")
    refused(404, f"^NOT_FOUND - no exchange '{no}' in vhost '/'$", c.channel().exchange_bind, no, x, "k")
    refused(404, f"^NOT_FOUND - no exchange '{no}' in vhost '/'$", c.channel().exchange_bind, x, no, "k")
    c.channel().queue_unbind(q, x, "never bound")
    c.channel().exchange_unbind(x, "amq.fanout", "never bound")


@check("exchanges: names in any UTF-8, up to 255 bytes")
def names(t):
    ch = t.channel()
    for name in (t.prefix + "나루 한/글 🛶", (t.prefix + "x" * 255)[:255], t.prefix + "a/b:c d#e*"):
        x, q = t.exchange(ch, "direct", name), t.queue(ch)
        ch.queue_bind(q, x, "열쇠")
        send(ch, x, "열쇠", name.encode())
        equal(bodies(ch, q, 1), [name.encode()])
