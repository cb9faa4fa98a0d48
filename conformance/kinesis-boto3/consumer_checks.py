"""Consumers with a throughput of their own: SubscribeToShard."""

import threading
import time

from harness import equal, fails, holds, unique, until
from record_checks import MIB


def register(k, name, consumer=None):
    got = k.client.register_stream_consumer(StreamARN=k.arn(name), ConsumerName=consumer or unique("c"))["Consumer"]
    until("the consumer is active", lambda: describe(k, got["ConsumerARN"])["ConsumerStatus"] == "ACTIVE")
    return got["ConsumerARN"]


def describe(k, arn):
    return k.client.describe_stream_consumer(ConsumerARN=arn)["ConsumerDescription"]


def subscribe(k, consumer, shard="shardId-000000000000", **position):
    """Tries again while the subscription before has not ended yet."""
    position.setdefault("Type", "TRIM_HORIZON")
    client, end = k.connect(), time.monotonic() + 60
    while True:
        try:
            return client.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=position)["EventStream"]
        except client.exceptions.ResourceInUseException:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def read(stream, n, limit=60):
    """The first n records, and the last event."""
    records, last, end = [], None, time.monotonic() + limit
    for event in stream:
        last = event["SubscribeToShardEvent"]
        records += last["Records"]
        if len(records) >= n:
            break
        holds(time.monotonic() < end, f"{len(records)} of {n} records after {limit} s")
    stream.close()
    equal(len(records), n, "records")
    return records, last


def lifecycle(k):
    name = k.stream()
    arn, consumer = k.arn(name), unique("c")
    got = k.client.register_stream_consumer(StreamARN=arn, ConsumerName=consumer)["Consumer"]
    holds(got["ConsumerARN"].startswith(f"{arn}/consumer/{consumer}:"), f"{got}")
    equal(got["ConsumerName"], consumer)
    until("active", lambda: describe(k, got["ConsumerARN"])["ConsumerStatus"] == "ACTIVE")
    d = k.client.describe_stream_consumer(StreamARN=arn, ConsumerName=consumer)["ConsumerDescription"]
    equal((d["ConsumerARN"], d["StreamARN"], d["ConsumerCreationTimestamp"]), (got["ConsumerARN"], arn, got["ConsumerCreationTimestamp"]))
    equal([c["ConsumerName"] for c in k.client.list_stream_consumers(StreamARN=arn)["Consumers"]], [consumer])
    equal(k.summary(name)["ConsumerCount"], 1)
    fails("ResourceInUseException", k.client.register_stream_consumer, StreamARN=arn, ConsumerName=consumer)
    fails("ResourceInUseException", k.client.delete_stream, StreamName=name, EnforceConsumerDeletion=False)
    k.client.deregister_stream_consumer(ConsumerARN=got["ConsumerARN"])

    def gone():
        try:
            return describe(k, got["ConsumerARN"])["ConsumerStatus"] == "never"
        except k.client.exceptions.ResourceNotFoundException:
            return True

    until("the consumer is gone", gone)
    equal(k.client.list_stream_consumers(StreamARN=arn)["Consumers"], [])


def pages(k):
    name = k.stream()
    for _ in range(3):
        register(k, name)
    one = k.client.list_stream_consumers(StreamARN=k.arn(name), MaxResults=2)
    two = k.client.list_stream_consumers(StreamARN=k.arn(name), NextToken=one["NextToken"])
    equal((len(one["Consumers"]), len(two["Consumers"]), two.get("NextToken")), (2, 1, None))


def positions(k):
    name = k.stream()
    sent = k.put(name, b"0", b"1", b"2")
    consumer = register(k, name)
    for position, want in [({"Type": "TRIM_HORIZON"}, [b"0", b"1", b"2"]),
                           ({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": sent[1]["SequenceNumber"]}, [b"1", b"2"]),
                           ({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sent[1]["SequenceNumber"]}, [b"2"]),
                           ({"Type": "AT_TIMESTAMP", "Timestamp": 0}, [b"0", b"1", b"2"])]:
        records, last = read(subscribe(k, consumer, **position), len(want))
        equal([r["Data"] for r in records], want, position["Type"])
        holds(int(last["ContinuationSequenceNumber"]) >= int(sent[2]["SequenceNumber"]), "the subscription goes on before its last record")
        equal(last["MillisBehindLatest"], 0)


def live(k):
    name = k.stream()
    consumer = register(k, name)
    k.put(name, b"before")
    stream = subscribe(k, consumer, Type="LATEST")
    timer = threading.Timer(0.5, k.put, (name, b"0", b"1", b"2"))
    timer.start()
    records, _ = read(stream, 3)
    timer.join()
    equal([r["Data"] for r in records], [b"0", b"1", b"2"])


def continued(k):
    """A subscription that ended goes on after what the last event said."""
    name = k.stream()
    consumer = register(k, name)
    k.put(name, b"0", b"1")
    _, last = read(subscribe(k, consumer), 2)
    k.put(name, b"2")
    records, _ = read(subscribe(k, consumer, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=last["ContinuationSequenceNumber"]), 1)
    equal([r["Data"] for r in records], [b"2"])


def shard_end(k):
    name = k.stream()
    consumer = register(k, name)
    k.put(name, b"0", b"1")
    k.client.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
    k.active(name)
    events = [e["SubscribeToShardEvent"] for e in subscribe(k, consumer)]
    equal([r["Data"] for e in events for r in e["Records"]], [b"0", b"1"])
    equal(sorted(c["ShardId"] for c in events[-1]["ChildShards"]), ["shardId-000000000001", "shardId-000000000002"])
    equal(events[-1].get("ContinuationSequenceNumber"), None)


def refused(k):
    name = k.stream()
    consumer = register(k, name)
    fails("ResourceNotFoundException", k.client.subscribe_to_shard, ConsumerARN=consumer, ShardId="shardId-000000000009", StartingPosition={"Type": "LATEST"})
    fails("ResourceNotFoundException", k.client.subscribe_to_shard, ConsumerARN=k.arn(name) + "/consumer/nobody:1", ShardId="shardId-000000000000",
          StartingPosition={"Type": "LATEST"})
    fails("InvalidArgumentException", k.client.subscribe_to_shard, ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition={"Type": "AT_SEQUENCE_NUMBER"})


def large(k):
    name = k.stream()
    consumer = register(k, name)
    for i in range(8):
        k.put(name, bytes([i]) * MIB)
    records, _ = read(subscribe(k, consumer), 8)
    equal([(r["Data"][0], len(r["Data"])) for r in records], [(i, MIB) for i in range(8)])


def run(suite, k):
    for title, check in [("register, describe, list, deregister", lifecycle), ("list in pages", pages), ("every position", positions), ("records as they come", live),
                         ("a subscription goes on", continued), ("a shard's end", shard_end), ("what is refused", refused), ("8 MiB", large)]:
        suite.run("consumer: " + title, check, k)
