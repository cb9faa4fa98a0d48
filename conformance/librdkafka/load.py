"""A group member and a producer for the rebalance judge, and topic digests.

The lines that they print are described in package events.
"""

import hashlib
import signal
import struct
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

_lock = threading.Lock()


def emit(word, *fields):
    line = "\t".join([word, str(time.time_ns()), *map(str, fields)]) + "\n"
    with _lock:
        sys.stdout.write(line)
        sys.stdout.flush()


def member(o):
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    conf = {
        "bootstrap.servers": o.bootstrap, "client.id": o.id, "group.id": o.group,
        "partition.assignment.strategy": o.assignor, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    }
    if o.instance:
        conf["group.instance.id"] = o.instance
    consumer = Consumer(conf)

    def assigned(_, partitions):
        for p in partitions:
            emit("assign", p.partition)

    after = {}  # what was read and is not committed yet

    def revoked(_, partitions):
        for p in partitions:
            emit("revoke", p.partition)
            after.pop(p.partition, None)

    consumer.subscribe([o.topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    while not stop.is_set():
        for m in consumer.consume(200, 0.1):
            if m.error():
                raise KafkaException(m.error())
            emit("poll", m.partition(), m.offset(), m.value().decode())
            after[m.partition()] = m.offset() + 1
        if after and not commit(consumer, o.topic, after):
            continue  # a rebalance is on its way: again after the next poll
        after.clear()
    consumer.close()


def commit(consumer, topic, after):
    """False if a rebalance kept the offsets from being committed."""
    try:
        done = consumer.commit(offsets=[TopicPartition(topic, p, n) for p, n in after.items()], asynchronous=False)
    except KafkaException as e:
        emit("note", f"commit: {e}".replace("\t", " ").replace("\n", " "))
        return e.args[0].code() != KafkaError.REBALANCE_IN_PROGRESS
    for p in done:
        if p.error is None:
            emit("commit", p.partition, p.offset)
    return True


def producer(o):
    client = Producer({"bootstrap.servers": o.bootstrap, "client.id": o.id,
                       "enable.idempotence": True, "linger.ms": 5})

    def done(err, msg):
        if err:
            emit("fail", msg.partition(), msg.value().decode(), err)
        else:
            emit("ack", msg.partition(), msg.offset(), msg.value().decode())

    start = time.monotonic()
    for i in range(o.records):
        wait = start + i / o.rate - time.monotonic()
        client.poll(max(wait, 0))
        while (wait := start + i / o.rate - time.monotonic()) > 0:
            client.poll(wait)
        p, value = i % o.partitions, f"{o.id}:{i}"
        emit("send", p, value)
        client.produce(o.topic, value=value, partition=p, on_delivery=done)
    if client.flush(60):
        raise AssertionError("not everything was delivered in 60 s")


def digest(o):
    """Prints a hash of each partition; the Go program's digest says over what."""
    consumer = Consumer({"bootstrap.servers": o.bootstrap, "group.id": "digest", "enable.auto.commit": False,
                         "auto.offset.reset": "error"})
    partitions = sorted(consumer.list_topics(o.topic, 20).topics[o.topic].partitions)
    sums, counts, left = {}, {}, {}
    for p in partitions:
        sums[p], counts[p] = hashlib.sha256(), 0
        low, high = consumer.get_watermark_offsets(TopicPartition(o.topic, p), 20)
        if high > low:
            left[p] = high
    consumer.assign([TopicPartition(o.topic, p, 0) for p in left])
    while left:
        for m in consumer.consume(1000, 1):
            if m.error():
                raise KafkaException(m.error())
            add(sums[m.partition()], m)
            counts[m.partition()] += 1
            if m.offset() + 1 >= left.get(m.partition(), m.offset() + 2):
                del left[m.partition()]
    consumer.close()
    for p in partitions:
        print(f"digest\t{p}\t{counts[p]}\t{sums[p].hexdigest()}")


def add(h, m):
    h.update(struct.pack(">q", m.timestamp()[1]))
    field(h, m.key())
    field(h, m.value())
    headers = m.headers() or []
    h.update(struct.pack(">i", len(headers)))
    for k, v in headers:
        field(h, k.encode())
        field(h, v)


def field(h, b):
    h.update(struct.pack(">i", -1 if b is None else len(b)))
    h.update(b or b"")


