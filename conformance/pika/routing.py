"""Which queues a message reaches."""

import pika

from harness import bodies, check, equal, refused, send


@check("routing: direct by the whole key, each queue once")
def direct(t):
    ch = t.channel()
    x, q, r = t.exchange(ch, "direct"), t.queue(ch), t.queue(ch)
    ch.queue_bind(q, x, "red")
    ch.queue_bind(q, x, "blue")
    ch.queue_bind(q, x, "blue")
    ch.queue_bind(r, x, "blue")
    for key in ("red", "blue", "green", "re", ""):
        send(ch, x, key, key.encode())
    equal(bodies(ch, q, 2), [b"red", b"blue"])
    equal(bodies(ch, r, 1), [b"blue"])
    ch.queue_unbind(q, x, "red")
    send(ch, x, "red", b"red")
    equal(bodies(ch, q, 0), [])


@check("routing: fanout to all")
def fanout(t):
    ch = t.channel()
    x, queues = t.exchange(ch, "fanout"), [t.queue(ch) for _ in range(5)]
    for i, q in enumerate(queues):
        ch.queue_bind(q, x, f"ignored {i}")
    send(ch, x, "any", b"all")
    for q in queues:
        equal(bodies(ch, q, 1), [b"all"])


@check("routing: topic patterns")
def topic(t):
    ch = t.channel()
    x = t.exchange(ch, "topic")
    keys = ["a", "a.b", "a.b.c", "b", "b.b", "a..c", "", ".", "a.b.c.d", "x.a.b", "a.c"]
    patterns = {"#": keys, "*": ["a", "b"], "a.*": ["a.b", "a.c"], "a.#": ["a", "a.b", "a.b.c", "a..c", "a.b.c.d", "a.c"], "*.b": ["a.b", "b.b"],
                "#.b": ["a.b", "b", "b.b", "x.a.b"], "a.*.c": ["a.b.c", "a..c"], "a.#.c": ["a.b.c", "a..c", "a.c"], "a.b": ["a.b"],
                "*.*": ["a.b", "b.b", ".", "a.c"], "#.#": keys, "*.#.*": [k for k in keys if "." in k], "a.#.#": ["a", "a.b", "a.b.c", "a..c", "a.b.c.d", "a.c"], "": [""],
                "a*": [], "#.c.#": ["a.b.c", "a..c", "a.b.c.d", "a.c"]}
    queues = {p: t.queue(ch) for p in patterns}
    for p, q in queues.items():
        ch.queue_bind(q, x, p)
    for key in keys:
        send(ch, x, key, key.encode())
    for p, want in patterns.items():
        equal(bodies(ch, queues[p], len(want)), [k.encode() for k in want], p)


@check("routing: topic matches a queue once, and unbinds one pattern")
def topic_unbind(t):
    ch = t.channel()
    x, q = t.exchange(ch, "topic"), t.queue(ch)
    for p in ("a.#", "#.b", "*.*"):
        ch.queue_bind(q, x, p)
    send(ch, x, "a.b", b"once")
    equal(bodies(ch, q, 1), [b"once"])
    ch.queue_unbind(q, x, "a.#")
    send(ch, x, "a.x.y", b"no")
    send(ch, x, "x.y.b", b"yes")
    equal(bodies(ch, q, 1), [b"yes"])


@check("routing: headers all, any and with-x")
def headers(t):
    ch = t.channel()
    x = t.exchange(ch, "headers")
    bindings = {"all": {"x-match": "all", "colour": "red", "size": 3}, "any": {"x-match": "any", "colour": "red", "size": 3},
                "default": {"colour": "red", "size": 3}, "none": {}, "present": {"colour": None}, "ignores x-": {"x-match": "all", "colour": "red", "x-other": "y"},
                "all-with-x": {"x-match": "all-with-x", "x-other": "y"}, "any-with-x": {"x-match": "any-with-x", "x-other": "y", "colour": "blue"}}
    queues = {name: t.queue(ch) for name in bindings}
    for name, arguments in bindings.items():
        ch.queue_bind(queues[name], x, "", arguments)
    for body, h in {b"both": {"colour": "red", "size": 3}, b"one": {"colour": "red"}, b"other": {"colour": "blue", "size": 4},
                    b"x": {"x-other": "y"}, b"more": {"colour": "red", "size": 3, "more": True}, b"nothing": None}.items():
        send(ch, x, "", body, headers=h)
    everything = [b"both", b"one", b"other", b"x", b"more", b"nothing"]
    want = {"all": [b"both", b"more"], "any": [b"both", b"one", b"more"], "default": [b"both", b"more"], "none": everything,
            "present": [b"both", b"one", b"other", b"more"], "ignores x-": [b"both", b"one", b"more"], "all-with-x": [b"x"], "any-with-x": [b"other", b"x"]}
    for name, q in queues.items():
        equal(bodies(ch, q, len(want[name])), want[name], name)


@check("routing: an x-match that is none")
def x_match(t):
    ch = t.channel()
    x, q = t.exchange(ch, "headers"), t.queue(ch)
    refused(406, "^PRECONDITION_FAILED - Invalid x-match field value", ch.queue_bind, q, x, "", {"x-match": "some"})


@check("routing: exchange to exchange, also in a circle")
def exchange_to_exchange(t):
    ch = t.channel()
    a, b, c, q, r = t.exchange(ch, "topic"), t.exchange(ch, "direct"), t.exchange(ch, "fanout"), t.queue(ch), t.queue(ch)
    ch.exchange_bind(b, a, "k.#")
    ch.exchange_bind(c, b, "k.1")
    ch.exchange_bind(a, c)
    ch.queue_bind(q, c)
    ch.queue_bind(r, a, "*.1")
    send(ch, a, "k.1", b"round")
    send(ch, a, "k.2", b"stops at b")
    equal(bodies(ch, q, 1), [b"round"])
    equal(bodies(ch, r, 1), [b"round"])
    ch.exchange_unbind(b, a, "k.#")
    send(ch, a, "k.1", b"no more")
    equal(bodies(ch, q, 0), [])


@check("routing: alternate exchange, in a chain")
def alternate(t):
    ch = t.channel(confirm=True)
    last, q, r, s = t.exchange(ch, "fanout"), t.queue(ch), t.queue(ch), t.queue(ch)
    middle = t.exchange(ch, "direct", arguments={"alternate-exchange": last})
    first = t.exchange(ch, "direct", arguments={"alternate-exchange": middle})
    ch.queue_bind(q, first, "q")
    ch.queue_bind(r, middle, "r")
    ch.queue_bind(s, last)
    for key in ("q", "r", "s"):
        send(ch, first, key, key.encode(), mandatory=True)
    equal([bodies(ch, x, 1) for x in (q, r, s)], [[b"q"], [b"r"], [b"s"]])
    lost = t.exchange(ch, "direct", arguments={"alternate-exchange": t.name("absent")})
    try:
        send(ch, lost, "k", mandatory=True)
    except pika.exceptions.UnroutableError:
        return
    raise AssertionError("not returned")


@check("routing: CC and BCC")
def carbon_copies(t):
    ch = t.channel()
    x, q, r, s = t.exchange(ch, "direct"), t.queue(ch), t.queue(ch), t.queue(ch)
    for name, key in ((q, "to"), (r, "cc"), (s, "bcc")):
        ch.queue_bind(name, x, key)
    send(ch, x, "to", b"copy", headers={"CC": ["cc", "to", "nobody"], "BCC": ["bcc"], "n": 1})
    for name in (q, r, s):
        method, properties, body = ch.basic_get(name, auto_ack=True)
        equal((body, method.routing_key, properties.headers), (b"copy", "to", {"CC": ["cc", "to", "nobody"], "n": 1}), name)
        equal(bodies(ch, name, 0), [])
    send(ch, x, "to", headers={"CC": "not a list"})
    refused(406, "^PRECONDITION_FAILED - ", ch.queue_declare, q, passive=True)
