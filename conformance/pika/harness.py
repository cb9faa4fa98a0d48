"""Counts checks, and gives each of them connections and names of its own."""

import os
import re
import signal
import sys
import time
import traceback

import pika
from pika.exceptions import AMQPChannelError, AMQPConnectionError, ChannelClosedByBroker, ConnectionClosedByBroker

url = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
run_name = f"pika-{os.getpid()}-{int(time.time())}"
checks = []


def check(title):
    """Registers a function of one test as a check."""
    def register(f):
        checks.append((title, f))
        return f
    return register


class Test:
    """What one check opened and declared; all of it goes when the check ends."""

    def __init__(self, number):
        self.prefix = f"{run_name}-{number}-"
        self.names = 0
        self.connections = []
        self.queues = []
        self.exchanges = []

    def parameters(self, **changes):
        p = pika.URLParameters(url)
        p.blocked_connection_timeout = p.socket_timeout = p.stack_timeout = 30
        for name, value in changes.items():
            setattr(p, name, value)
        return p

    def connection(self, **changes):
        c = pika.BlockingConnection(self.parameters(**changes))
        self.connections.append(c)
        return c

    def channel(self, confirm=False):
        """A channel on a connection of its own."""
        ch = self.connection().channel()
        if confirm:
            ch.confirm_delivery()
        return ch

    def name(self, what="n"):
        self.names += 1
        return f"{self.prefix}{what}{self.names}"

    def queue(self, ch, arguments=None, name=None, **how):
        """Declares a queue, exclusive unless it says otherwise."""
        name = name or self.name("q")
        if not how:
            how = {"exclusive": True}
        if not how.get("exclusive"):
            self.queues.append(name)
        ch.queue_declare(name, arguments=arguments, **how)
        return name

    def exchange(self, ch, kind="direct", name=None, **how):
        name = name or self.name("x")
        self.exchanges.append(name)
        ch.exchange_declare(name, kind, **how)
        return name

    def exists(self, queue=None, exchange=None):
        ch = self.channel()
        try:
            if queue:
                ch.queue_declare(queue, passive=True)
            else:
                ch.exchange_declare(exchange, passive=True)
        except ChannelClosedByBroker as e:
            equal(e.reply_code, 404)
            return False
        finally:
            ch.connection.close()
        return True

    def end(self):
        for c in self.connections:
            try:
                c.close()
            except Exception:  # closed by the broker, or as the check meant it to be
                pass
        if self.queues or self.exchanges:
            c = pika.BlockingConnection(self.parameters())
            for q in self.queues:
                c.channel().queue_delete(q)
            for x in self.exchanges:
                c.channel().exchange_delete(x)
            c.close()


def product(connection):
    return connection._impl.server_properties.get("product")


def publish(ch, queue, *bodies, **properties):
    for body in bodies:
        ch.basic_publish("", queue, body, pika.BasicProperties(**properties))


def send(ch, exchange, key, body=b"m", mandatory=False, **properties):
    ch.basic_publish(exchange, key, body, pika.BasicProperties(**properties), mandatory)


def get(ch, queue, limit=30, auto_ack=True):
    """The next message, waited for."""
    end = time.monotonic() + limit
    while True:
        method, properties, body = ch.basic_get(queue, auto_ack=auto_ack)
        if method:
            return method, properties, body
        if time.monotonic() > end:
            raise AssertionError(f"nothing in {queue} for {limit} s")
        ch.connection.sleep(0.02)


def bodies(ch, queue, want, limit=30):
    """Takes as many messages as are wanted, and sees that no other follows."""
    got = [get(ch, queue, limit)[2] for _ in range(want)]
    method, _, extra = ch.basic_get(queue, auto_ack=True)
    if method:
        raise AssertionError(f"after {got} also {extra}")
    return got


def consume(ch, queue, handle=None, **how):
    """A list that receives (method, properties, body); its tag is in how or in .tag."""
    got = Deliveries()

    def on_message(channel, method, properties, body):
        got.append((method, properties, body))
        if handle:
            handle(channel, method, properties, body)

    got.tag = ch.basic_consume(queue, on_message, **how)
    return got


class Deliveries(list):
    def bodies(self):
        return [body for _, _, body in self]


def until(ch, holds, what="it holds", limit=30):
    """Lets the connection work until something holds."""
    connections = [c.connection for c in (ch if isinstance(ch, (list, tuple)) else [ch])]
    end = time.monotonic() + limit
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        for c in connections:
            c.process_data_events(0.02)


def quiet(ch, got, seconds=0.3):
    """Nothing more is delivered for a while."""
    before = len(got)
    ch.connection.sleep(seconds)
    if len(got) != before:
        raise AssertionError(f"also delivered: {got.bodies()[before:]}")


def counts(ch, queue):
    """Ready messages and consumers."""
    m = ch.queue_declare(queue, passive=True).method
    return m.message_count, m.consumer_count


def settled(ch, queue, messages, limit=30):
    until(ch, lambda: counts(ch, queue)[0] == messages, f"{messages} messages ready in {queue}", limit)


def expired(t, queue, seconds):
    """The queue is gone when nobody has used it for so long. To look is to use it, so it is left alone for longer each time."""
    for times in (1.25, 2.5, 5, 10):
        time.sleep(seconds * times)
        if not t.exists(queue=queue):
            return
    raise AssertionError("it is still there")


def refused(code, pattern, f, *args, **how):
    """The channel is closed with this code and a text that has the pattern; its connection lives."""
    _closed(ChannelClosedByBroker, AMQPChannelError, code, pattern, f, *args, **how)


def cut_off(code, pattern, f, *args, **how):
    """The connection is closed with this code and a text that has the pattern."""
    _closed(ConnectionClosedByBroker, AMQPConnectionError, code, pattern, f, *args, **how)


def _closed(kind, wider, code, pattern, f, *args, **how):
    codes = code if isinstance(code, tuple) else (code,)
    try:
        f(*args, **how)
    except kind as e:
        if e.reply_code not in codes or not re.search(pattern, e.reply_text):
            raise AssertionError(f"got {e.reply_code} {e.reply_text!r}, want {code} {pattern!r}") from None
    except wider as e:
        raise AssertionError(f"got {e!r}, want {kind.__name__} {code} {pattern!r}") from None
    else:
        raise AssertionError(f"nothing was refused, want {code} {pattern!r}")


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}{what and ': '}got {brief(got)}, want {brief(want)}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def brief(value):
    text = repr(value)
    return text if len(text) < 400 else text[:400] + "…"


def out_of_time(*_):
    raise TimeoutError(f"not done within {limit} s")


limit = 120  # seconds for one check


def run_all(name, only=""):
    passed = failed = 0
    signal.signal(signal.SIGALRM, out_of_time)
    for number, (title, f) in enumerate(checks):
        if only not in title:
            continue
        start = time.monotonic()
        t = Test(number)
        signal.alarm(limit)
        try:
            try:
                f(t)
            finally:
                signal.alarm(limit)
                t.end()
                signal.alarm(0)
        except Exception as e:  # every failure is counted, whatever it is
            failed += 1
            print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {e}", flush=True)
            print(f"--- {title}", file=sys.stderr)
            traceback.print_exc(file=sys.stderr)
        else:
            passed += 1
            print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)
    print(f"{name}: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0
