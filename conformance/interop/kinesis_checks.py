"""Kinesis beside Kafka, SQS and HTTP: what one puts the others read."""

import json
import os
import sys
import urllib.request

from confluent_kafka import Producer

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kinesis-boto3"))
from harness import equal, holds  # noqa: E402 (the path comes first)
from kinesis import Kinesis, hash_of, hash_range  # noqa: E402

EVERY = bytes(range(256))


def http(path, doc=None):
    r = urllib.request.Request(os.environ["NARU_HTTP"].rstrip("/") + path, None if doc is None else json.dumps(doc).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(r, timeout=30) as answer:
        return json.load(answer)


def kinesis_to_kafka(b, k):
    name = k.stream(2)
    shards = k.shards(name)
    sent = {s["ShardId"]: [] for s in shards}
    for i in range(20):
        key, data = f"주문-{i % 5}", EVERY + str(i).encode()
        sent[k.put(name, data, key=key)[0]["ShardId"]].append((key.encode(), data))
    h = str(hash_range(shards[1])[1])
    k.put(name, b"explicit", ExplicitHashKey=h)
    for partition, shard in enumerate(shards):
        want = sent[shard["ShardId"]] + ([(b"k", b"explicit")] if partition == 1 else [])
        got = b.records(name, len(want), partition)
        equal([(r.key(), r.value()) for r in got], want)
    equal(dict(got[-1].headers()), {"naru.hash-key": h.encode()})


def kafka_to_kinesis(b, k):
    topic = b.topic()
    for value, key in ((EVERY, b"k"), ("나루".encode(), "주문".encode()), (b"", b"empty"), (None, b"null"), (b"x", None), (b"x", b""), (b"x", b"\xff"), (b"x", b"\xff")):
        b.produce(topic, value, key, [("h", b"1")], timestamp=1_700_000_000_123)
    got = k.records(k.iterator(topic), 8)
    equal([r["Data"] for r in got], [EVERY, "나루".encode(), b"", b"", b"x", b"x", b"x", b"x"])
    keys = [r["PartitionKey"] for r in got]
    equal(keys[:6], ["k", "주문", "empty", "null", "naru.null", "naru.empty"])
    holds(keys[6].startswith("naru.") and len(keys[6]) == 37 and keys[6] == keys[7], f"{keys[6:]}")
    equal({round(r["ApproximateArrivalTimestamp"].timestamp() * 1000) for r in got}, {1_700_000_000_123})


def compressed(b, k):
    topic = b.topic()
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        p = Producer({"bootstrap.servers": b.bootstrap, "compression.type": codec, "linger.ms": 100})
        for i in range(20):
            p.produce(topic, f"{codec} {i} " + "배" * 300)
        equal(p.flush(30), 0)
    equal([r["Data"].decode() for r in k.records(k.iterator(topic), 80)], [f"{c} {i} " + "배" * 300 for c in ("gzip", "snappy", "lz4", "zstd") for i in range(20)])


def kinesis_to_queue(b, k):
    name = k.stream()
    k.put(name, "주문이 들어왔다".encode(), EVERY, key="order-1")
    text, binary = b.take(b.view(name), 2)
    equal((text["Body"], text["Attributes"]["MessageGroupId"]), ("주문이 들어왔다", "order-1"))
    equal(binary["MessageAttributes"]["naru.encoding"]["StringValue"], "base64")


def queue_to_kinesis(b, k):
    topic = b.topic()
    b.sqs.send(b.view(topic), "나루", MessageGroupId="g")
    [r] = k.records(k.iterator(topic), 1)
    equal((r["Data"].decode(), r["PartitionKey"]), ("나루", "g"))


def over_http(b, k):
    name = k.stream()
    k.put(name, "나루".encode(), key="k")
    http(f"/v1/topics/{name}/records", {"records": [{"keyText": "h", "text": "배"}]})
    equal([(r["PartitionKey"], r["Data"].decode()) for r in k.records(k.iterator(name), 2)], [("k", "나루"), ("h", "배")])
    equal([(r["keyText"], r["text"]) for r in http(f"/v1/topics/{name}/records?from=earliest")["records"]], [("k", "나루"), ("h", "배")])


def resharded(b, k):
    """A partition that was split is read to its end by Kafka, and what is put goes to its children."""
    name = k.stream()
    k.put(name, b"0")
    k.client.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
    k.active(name)
    sent = {1: [], 2: []}
    for i in range(10):
        key = f"k{i}"
        k.put(name, b"x", key=key)
        sent[1 if hash_of(key) < 1 << 127 else 2].append(key.encode())
    equal([r.value() for r in b.records(name, 1)], [b"0"])
    for partition, want in sent.items():
        equal([r.key() for r in b.records(name, len(want), partition)], want)
    b.produce(name, b"by Kafka", b"k")  # the producer sees that partition 0 takes no more
    read = [r["Data"] for shard in k.open(name) for r in k.get(k.iterator(name, shard["ShardId"]))["Records"]]
    holds(b"by Kafka" in read, "what Kafka's producer put is in no open shard")


def run(suite, both):
    k = Kinesis()
    for title, check in [("Kinesis to Kafka", kinesis_to_kafka), ("Kafka to Kinesis", kafka_to_kinesis), ("Kafka to Kinesis: compressed batches", compressed),
                         ("Kinesis to SQS", kinesis_to_queue), ("SQS to Kinesis", queue_to_kinesis), ("Kinesis and HTTP", over_http),
                         ("Kinesis to Kafka, through a split", resharded)]:
        suite.run(title, check, both, k)
