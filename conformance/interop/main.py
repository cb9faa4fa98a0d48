"""One message, several protocols: what boto3 sends to a queue or a stream is read
with librdkafka, and the other way round, as docs/messages.md says. The tables
there are these checks.

    main.py --bootstrap HOST:PORT [--only TITLE]

The endpoint for SQS and Kinesis and its keys come from the variables of every AWS
client, the API's address from NARU_HTTP.
"""

import argparse
import base64
import json
import os
import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boto3"))
import kinesis_checks  # noqa: E402 (the path comes first)
from harness import Sqs, Suite, equal, unique  # noqa: E402

BINARY = bytes(range(256))


class Both:
    """The two endpoints of one server."""

    def __init__(self, bootstrap):
        self.sqs, self.bootstrap = Sqs(), bootstrap
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def topic(self, partitions=1):
        name = unique("t")
        self.admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        return name

    def produce(self, topic, value, key=None, headers=None, **more):
        errors = []
        self.producer.produce(topic, value, key, headers=headers, on_delivery=lambda e, m: errors.append(e), **more)
        equal(self.producer.flush(30), 0)
        equal(errors, [None])

    def records(self, topic, n, partition=0):
        """The first n records of a partition."""
        c = Consumer({"bootstrap.servers": self.bootstrap, "group.id": unique("g"), "enable.auto.commit": False})
        try:
            c.assign([TopicPartition(topic, partition, 0)])
            out = c.consume(n, timeout=30)
        finally:
            c.close()
        equal([len(out), [m.error() for m in out]], [n, [None] * n])
        return out

    def view(self, topic, **attributes):
        """A queue that reads the topic: it has its name."""
        return self.sqs.queue(topic, **attributes)

    def take(self, url, n):
        return self.sqs.take(url, n, MessageAttributeNames=["All"], AttributeNames=["All"])


def name_of(url):
    return url.rsplit("/", 1)[1]


def text(value):
    return {"DataType": "String", "StringValue": value}


def sqs_to_kafka(b):
    url = b.sqs.queue()
    b.sqs.send(url, "나루터에 배가 닿았다 <&>\r\n🛶", MessageAttributes={
        "name": text("나루"), "n": {"DataType": "Number.int", "StringValue": "7"}, "b": {"DataType": "Binary", "BinaryValue": BINARY}})
    [r] = b.records(name_of(url), 1)
    equal(r.value().decode(), "나루터에 배가 닿았다 <&>\r\n🛶")
    equal(r.key(), None)
    headers = dict(r.headers())
    equal({k: headers[k] for k in ("name", "n", "b")}, {"name": "나루".encode(), "n": b"7", "b": BINARY})
    equal((headers["naru.type:n"], headers["naru.type:b"], "naru.type:name" in headers), (b"Number.int", b"Binary", False))


def group_is_key(b):
    url = b.sqs.fifo()
    for i, group in enumerate(("주문".encode().hex(), "b", "b")):
        b.sqs.send(url, f"m{i}", MessageGroupId=group, MessageDeduplicationId=str(i))
    records = b.records(name_of(url), 3)
    equal([(r.key(), r.value(), dict(r.headers())["naru.dedup"]) for r in records],
          [("주문".encode().hex().encode(), b"m0", b"0"), (b"b", b"m1", b"1"), (b"b", b"m2", b"2")])


def delay_and_trace(b):
    url = b.sqs.queue()
    sent = b.sqs.send(url, "later", DelaySeconds=900, MessageSystemAttributes={"AWSTraceHeader": text("Root=1-5759e988-bd862e3fe1be46a994272793")})
    [r] = b.records(name_of(url), 1)
    headers = dict(r.headers())
    equal(headers["naru.trace"], b"Root=1-5759e988-bd862e3fe1be46a994272793")
    equal(int(headers["naru.due"]) - r.timestamp()[1], 900_000)
    equal(b.sqs.receive(url), [])
    equal(bool(sent["MessageId"]), True)


def kafka_to_sqs(b):
    topic = b.topic()
    url = b.view(topic)
    b.produce(topic, "주문이 들어왔다".encode(), b"order-1", [("kind", "커피".encode()), ("raw", BINARY)], timestamp=1_700_000_000_123)
    [m] = b.take(url, 1)
    equal(m["Body"], "주문이 들어왔다")
    equal((m["Attributes"]["MessageGroupId"], m["Attributes"]["SentTimestamp"]), ("order-1", "1700000000123"))
    equal(m["MessageAttributes"], {"kind": text("커피"), "raw": {"DataType": "Binary", "BinaryValue": BINARY}})


def binary_value(b):
    topic = b.topic()
    url = b.view(topic)
    b.produce(topic, BINARY)
    b.produce(topic, b"")
    b.produce(topic, None)
    got = b.take(url, 3)
    equal([m["MessageAttributes"]["naru.encoding"]["StringValue"] for m in got], ["base64", "empty", "null"])
    equal([base64.b64decode(got[0]["Body"]), got[1].get("Body", ""), got[2].get("Body", "")], [BINARY, "", ""])


def strange_keys(b):
    topic = b.topic()
    url = b.view(topic)
    b.produce(topic, b"1", "주문-1".encode())
    b.produce(topic, b"2", b"\x00\xff")
    b.produce(topic, b"3", "주문-1".encode())
    got = b.take(url, 3)
    keys = [json.loads(m["MessageAttributes"]["naru.key"]["StringValue"]) for m in got]
    equal(keys, [{"text": "주문-1"}, {"base64": "AP8="}, {"text": "주문-1"}])
    groups = [m["Attributes"]["MessageGroupId"] for m in got]
    equal((groups[0] == groups[2], groups[0] == groups[1], groups[0][:5]), (True, False, "naru."))


def strange_headers(b):
    topic = b.topic()
    url = b.view(topic)
    b.produce(topic, b"m", headers=[("이름", "나루".encode()), ("twice", b"1"), ("twice", b"2"), ("nothing", None)])
    [m] = b.take(url, 1)
    equal(m["MessageAttributes"]["twice"], text("2"))
    equal(json.loads(m["MessageAttributes"]["naru.headers"]["StringValue"]),
          [{"name": "이름", "text": "나루"}, {"name": "twice", "text": "1"}, {"name": "nothing"}])


def there_and_back(b):
    """A record that SQS moves on arrives as it was."""
    topic, other = b.topic(), b.topic()
    came, goes = b.view(topic), b.view(other)
    given = [(BINARY, "주문".encode(), [("이름", BINARY), ("a", b"1"), ("a", None), ("kind", "커피".encode())]), (None, b"", []), (b"", None, [("h", b"")])]
    for value, key, headers in given:
        b.produce(topic, value, key, headers)
    for m in b.take(came, len(given)):
        b.sqs.client.send_message(QueueUrl=goes, MessageBody=m.get("Body", ""), MessageAttributes=m.get("MessageAttributes", {}))
    equal([(r.value(), r.key(), r.headers() or []) for r in b.records(other, len(given))], given)


def partitions(b):
    """A view of a topic reads all its partitions, and what is deleted stays on the topic."""
    topic = b.topic(3)
    url = b.view(topic)
    for i in range(30):
        b.produce(topic, str(i).encode(), partition=i % 3)
    got = b.take(url, 30)
    equal(sorted(int(m["Body"]) for m in got), list(range(30)))
    for m in got:
        b.sqs.client.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    equal(b.sqs.receive(url), [])
    equal([[int(r.value()) for r in b.records(topic, 10, p)] for p in range(3)], [list(range(p, 30, 3)) for p in range(3)])


def compressed(b):
    topic = b.topic()
    url = b.view(topic)
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        p = Producer({"bootstrap.servers": b.bootstrap, "compression.type": codec, "linger.ms": 100})
        for i in range(20):
            p.produce(topic, f"{codec} {i} " + "배" * 300)
        equal(p.flush(30), 0)
    got = b.take(url, 80)
    equal(sorted(m["Body"] for m in got), sorted(f"{c} {i} " + "배" * 300 for c in ("gzip", "snappy", "lz4", "zstd") for i in range(20)))


CHECKS = [("SQS to Kafka: text and attributes", sqs_to_kafka), ("SQS to Kafka: the group is the key", group_is_key), ("SQS to Kafka: delay and trace", delay_and_trace),
          ("Kafka to SQS: text, key, headers, time", kafka_to_sqs), ("Kafka to SQS: bytes, empty, null", binary_value), ("Kafka to SQS: keys that SQS does not allow", strange_keys),
          ("Kafka to SQS: headers that SQS does not allow", strange_headers), ("there and back", there_and_back), ("all partitions, and the topic keeps its records", partitions),
          ("compressed batches", compressed)]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--bootstrap", required=True)
    a.add_argument("--only", default="")
    o = a.parse_args()
    suite, both = Suite("interop", o.only), Both(o.bootstrap)
    for title, check in CHECKS:
        suite.run(title, check, both)
    kinesis_checks.run(suite, both)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
