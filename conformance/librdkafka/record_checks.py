"""Produce and consume."""

import random
import time

from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka import OFFSET_END

from harness import equal, fails, take

BINARY = bytes(range(256))


def run(suite, broker):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        suite.run(f"produce, {codec}: every shape of record comes back as it went", shapes, broker, codec)
    for acks in ["1", "all"]:
        suite.run(f"produce, acks={acks}", acks_some, broker, acks)
    suite.run("produce, acks=0: the records arrive", acks_none, broker)
    suite.run("produce, idempotent, 20,000 records in order", idempotent, broker)
    suite.run("produce, a record just below max.message.bytes", large, broker)
    suite.run("produce, a record over max.message.bytes: MSG_SIZE_TOO_LARGE", too_large, broker)
    suite.run("produce, the topic is created on the way", auto_create, broker)
    suite.run("produce, LogAppendTime", log_append_time, broker)
    suite.run("consume, from the middle, from the end, by timestamp", positions, broker)
    suite.run("consume, out of range: error or reset as configured", out_of_range, broker)
    suite.run("consume, tiny fetch limits still make progress", tiny_fetches, broker)
    suite.run("consume, end of partition is reported", partition_end, broker)
    suite.run("consume, watermarks", watermarks, broker)
    suite.run("consume, pause, resume and seek", pause_seek, broker)


def samples(n):
    kinds = [
        dict(key="나루", value="강을 건너는 모든 배가 닿는 곳 — 한글 메시지"),
        dict(key=BINARY, value=BINARY * 8),
        dict(key=b"", value=b""),
        dict(key=None, value=None),
        dict(key=b"tombstone", value=None),
        dict(key=None, value=b"x", headers=[("제목", "머리글".encode()), ("twice", b"1"), ("twice", b"2"),
                                            ("null", None), ("empty", b""), ("binary", BINARY)]),
        dict(key=b"text", value=b"compressible " * 300),
    ]
    base = int(time.time() * 1000)
    return [dict(kinds[i % len(kinds)], partition=0, timestamp=base + i) for i in range(n)]


def raw(value):
    return value.encode() if isinstance(value, str) else value


def compare(sent, delivered, got):
    for i, (s, d, g) in enumerate(zip(sent, delivered, got, strict=True)):
        equal(g.offset(), d.offset(), f"offset of record {i}")
        equal(g.key(), raw(s["key"]), f"key of record {i}")
        equal(g.value(), raw(s["value"]), f"value of record {i}")
        equal(g.headers() or [], s.get("headers", []), f"headers of record {i}")
        equal(g.timestamp()[1], s["timestamp"], f"timestamp of record {i}")


def shapes(broker, codec):
    topic, sent = broker.topic(), samples(350)
    delivered = broker.send(topic, sent, compression_type=codec, linger_ms=20)
    compare(sent, delivered, broker.read(topic, len(sent)))


def acks_some(broker, acks):
    topic, sent = broker.topic(), samples(50)
    compare(sent, broker.send(topic, sent, acks=acks), broker.read(topic, 50))


def acks_none(broker):
    topic, sent = broker.topic(), samples(50)
    broker.send(topic, sent, acks=0)
    got = broker.read(topic, 50)
    equal([m.value() for m in got], [raw(s["value"]) for s in sent], "values")
    equal([m.offset() for m in got], list(range(50)), "offsets")


def idempotent(broker):
    topic = broker.topic()
    sent = [dict(value=str(i), partition=0) for i in range(20_000)]
    delivered = broker.send(topic, sent, **{"enable.idempotence": True, "batch.num.messages": 100, "linger.ms": 1})
    equal([m.offset() for m in delivered], list(range(20_000)), "offsets")
    equal([int(m.value()) for m in broker.read(topic, 20_000)], list(range(20_000)), "values")


def large(broker):
    topic, value = broker.topic(), random.Random(1).randbytes(2**20 - 200)
    broker.send(topic, [dict(value=value)], message_max_bytes=8_000_000, acks="all")
    equal(broker.read(topic, 1)[0].value() == value, True, "same value")


def too_large(broker):
    topic, value = broker.topic(), random.Random(1).randbytes(2**20 + 200)
    fails(KafkaError.MSG_SIZE_TOO_LARGE, broker.send, topic, [dict(value=value)], message_max_bytes=8_000_000)


def auto_create(broker):
    from harness import unique
    topic = unique("auto")
    broker.send(topic, [dict(value="첫 소식")])
    equal(broker.read(topic, 1)[0].value().decode(), "첫 소식", "value")


def log_append_time(broker):
    topic = broker.topic(message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    broker.send(topic, [dict(value=str(i), timestamp=before - 3_600_000) for i in range(5)])
    for m in broker.read(topic, 5):
        kind, stamp = m.timestamp()
        equal(kind, 2, "timestamp type")
        if not before <= stamp <= time.time() * 1000:
            raise AssertionError(f"timestamp {stamp} is not the time of appending")


def positions(broker):
    topic, base = broker.topic(), int(time.time() * 1000) - 100_000
    broker.fill(topic, 100, base)
    equal(broker.read(topic, 1, offset=57)[0].value(), b"57", "from 57")
    consumer = broker.consumer()
    found = consumer.offsets_for_times([TopicPartition(topic, 0, base + 33)], 20)
    equal(found[0].offset, 33, "offset for time")
    found = consumer.offsets_for_times([TopicPartition(topic, 0, base + 5000)], 20)
    equal(found[0].offset, OFFSET_END, "offset for a time after all")
    consumer.close()
    consumer = broker.consumer(**{"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
    m = consumer.poll(30)
    equal((m.error() and m.error().code(), m.offset()), (KafkaError._PARTITION_EOF, 100), "before anything new")
    broker.fill(topic, 1)
    equal(take(consumer, 1)[0].offset(), 100, "from the end")
    consumer.close()


def out_of_range(broker):
    topic = broker.topic()
    broker.fill(topic, 10)
    equal(broker.read(topic, 1, offset=500)[0].offset(), 0, "reset to earliest")
    consumer = broker.consumer(**{"auto.offset.reset": "error"})
    consumer.assign([TopicPartition(topic, 0, 500)])
    try:
        end = time.monotonic() + 20
        while not (m := consumer.poll(1)):
            if time.monotonic() > end:
                raise AssertionError("no error within 20 s")
        equal(m.error() and m.error().code(), KafkaError._AUTO_OFFSET_RESET, "error")
    finally:
        consumer.close()


def tiny_fetches(broker):
    topic = broker.topic()
    broker.send(topic, [dict(value=b"v" * 20_000) for _ in range(20)], linger_ms=0, batch_num_messages=1)
    got = broker.read(topic, 20, **{"fetch.message.max.bytes": 1000, "fetch.max.bytes": 1000,
                                    "message.max.bytes": 1000, "receive.message.max.bytes": 2_000_000})
    equal([m.offset() for m in got], list(range(20)), "offsets")


def partition_end(broker):
    topic = broker.topic()
    broker.fill(topic, 3)
    consumer = broker.consumer(**{"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    take(consumer, 3)
    m = consumer.poll(30)
    consumer.close()
    equal(m.error().code(), KafkaError._PARTITION_EOF, "event after the last record")
    equal(m.offset(), 3, "offset of the end")


def watermarks(broker):
    topic = broker.topic(partitions=2)
    broker.fill(topic, 25)
    consumer = broker.consumer()
    equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), 20), (0, 25), "partition 0")
    equal(consumer.get_watermark_offsets(TopicPartition(topic, 1), 20), (0, 0), "partition 1")
    consumer.close()


def pause_seek(broker):
    topic = broker.topic()
    broker.fill(topic, 100)
    consumer, partition = broker.consumer(), TopicPartition(topic, 0, 0)
    consumer.assign([partition])
    take(consumer, 10)
    consumer.pause([partition])
    equal(consumer.consume(1, 0.5), [], "while paused")
    consumer.resume([partition])
    equal(take(consumer, 1)[0].offset(), 10, "after resuming")
    consumer.seek(TopicPartition(topic, 0, 90))
    equal([m.offset() for m in take(consumer, 10)], list(range(90, 100)), "after seeking")
    consumer.close()
