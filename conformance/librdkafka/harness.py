"""Named checks with a closing count, and small tools that the checks share."""

import itertools
import os
import sys
import time
import traceback

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

_serial = itertools.count()

# Seconds for all records of a producer. In a cluster each of its few requests in flight waits for a flush.
PATIENCE = 30 if os.environ.get("BROKERS", "1") == "1" else 120


class Suite:
    """Counts checks. A check is a function that raises when it fails."""

    def __init__(self, name, only=""):
        self.name, self.only = name, only
        self.passed = self.failed = 0

    def run(self, title, check, *args):
        if self.only not in title:
            return
        start = time.monotonic()
        try:
            check(*args)
        except Exception as e:  # every failure is counted, whatever it is
            self.failed += 1
            print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {e}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            self.passed += 1
            print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)

    def finish(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class Broker:
    """The broker under test."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient(self.conf())

    def conf(self, **settings):
        conf = {"bootstrap.servers": self.bootstrap, "topic.metadata.refresh.interval.ms": 2000}
        conf.update({k.replace("_", "."): v for k, v in settings.items()})
        return conf

    def topic(self, partitions=1, **config):
        name = unique("t")
        spec = NewTopic(name, partitions, 1, config={k.replace("_", "."): str(v) for k, v in config.items()})
        self.admin.create_topics([spec])[name].result(20)
        return name

    def producer(self, **settings):
        return Producer(self.conf(**settings))

    def consumer(self, group=None, **settings):
        settings.setdefault("auto.offset.reset", "earliest")
        return Consumer(self.conf(**{"group.id": group or unique("g"), "enable.auto.commit": False, **settings}))

    def send(self, topic, records, **settings):
        """Produces dicts of produce() arguments; returns the delivered messages in order."""
        producer, results = self.producer(**settings), [None] * len(records)
        for i, r in enumerate(records):
            def done(err, msg, i=i):
                results[i] = err or msg
            while True:
                try:
                    producer.produce(topic, on_delivery=done, **r)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(PATIENCE)
        if left:
            raise AssertionError(f"{left} records were not delivered in {PATIENCE} s")
        for r in results:
            if isinstance(r, KafkaError):
                raise KafkaException(r)
        return results

    def fill(self, topic, n, base=None):
        base = base if base is not None else int(time.time() * 1000)
        return self.send(topic, [dict(value=str(i), partition=0, timestamp=base + i) for i in range(n)])

    def read(self, topic, n, partition=0, offset=0, **settings):
        """Reads n records of one partition from an offset."""
        consumer = self.consumer(**settings)
        consumer.assign([TopicPartition(topic, partition, offset)])
        try:
            return take(consumer, n)
        finally:
            consumer.close()


def take(consumer, n, limit=30):
    """Reads exactly n records or fails."""
    out, end = [], time.monotonic() + limit
    while len(out) < n:
        for m in consumer.consume(n - len(out), 0.2):
            if m.error():
                raise KafkaException(m.error())
            out.append(m)
        if time.monotonic() > end:
            raise AssertionError(f"{len(out)} of {n} records after {limit} s")
    return out


def until(what, holds, limit=30, between=lambda: time.sleep(0.02)):
    end = time.monotonic() + limit
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        between()


def unique(what):
    return f"py-{what}-{os.getpid()}-{int(time.time() * 1000)}-{next(_serial)}"


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {short(got)}, want {short(want)}")


def short(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "…"


def fails(want, call, *args, **kwargs):
    """The call must raise a KafkaException with the error code."""
    try:
        call(*args, **kwargs)
    except KafkaException as e:
        if e.args[0].code() != want:
            raise AssertionError(f"got {e.args[0]}, want {KafkaError(want)}") from e
    else:
        raise AssertionError(f"it was accepted, want {KafkaError(want)}")
