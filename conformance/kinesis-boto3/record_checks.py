"""Records: to put, to find and to read them."""

import base64
import datetime
import time

from aws_kinesis_agg import aggregator, deaggregator

from harness import equal, fails, holds, until
from kinesis import HASH_KEYS, hash_of, hash_range

EVERY = bytes(range(256))
MIB = (1 << 20) - 1  # of data, and a key of one byte


def put(k):
    name = k.stream()
    [a, b] = k.put(name, EVERY, "나루".encode(), key="주문 1")
    equal(a["ShardId"], "shardId-000000000000")
    holds(int(a["SequenceNumber"]) < int(b["SequenceNumber"]) and len(a["SequenceNumber"]) == 56, f"{a} {b}")
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    got = k.records(k.iterator(name), 2)
    equal([(r["Data"], r["PartitionKey"], r["SequenceNumber"]) for r in got],
          [(EVERY, "주문 1", a["SequenceNumber"]), ("나루".encode(), "주문 1", b["SequenceNumber"])])
    holds(got[0]["ApproximateArrivalTimestamp"] > before, f"{got[0]}")
    holds(int(k.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]) <= int(a["SequenceNumber"]), "the shard's first number")
    k.client.put_record(StreamARN=k.arn(name), Data=b"by ARN", PartitionKey="k", SequenceNumberForOrdering=b["SequenceNumber"])
    equal(k.data(name, 3)[2], b"by ARN")


def keys(k):
    """A partition key's MD5 says which shard; an explicit hash key overrules it."""
    name = k.stream(4)
    ranges = {s["ShardId"]: hash_range(s) for s in k.shards(name)}
    for i in range(40):
        key = f"열쇠-{i}"
        start, end = ranges[k.put(name, b"x", key=key)[0]["ShardId"]]
        holds(start <= hash_of(key) <= end, f"{key} is in another shard")
    for shard, (start, end) in ranges.items():
        for h in (start, end):
            equal(k.put(name, b"x", ExplicitHashKey=str(h))[0]["ShardId"], shard)
    fails("InvalidArgumentException", k.client.put_record, StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=str(HASH_KEYS))


def batch(k):
    name = k.stream(3)
    answer = k.client.put_records(StreamName=name, Records=[{"Data": f"{i}".encode(), "PartitionKey": f"k{i % 10}"} for i in range(500)])
    equal((answer["FailedRecordCount"], len(answer["Records"])), (0, 500))
    holds(all(not r.get("ErrorCode") for r in answer["Records"]), "a record was refused")
    counts = {}
    for i, r in enumerate(answer["Records"]):
        counts.setdefault(r["ShardId"], []).append((int(r["SequenceNumber"]), i))
    for shard, want in counts.items():
        equal(sorted(want), want, "sequence numbers in the order of the request")
        got = k.records(k.iterator(name, shard), len(want))
        equal([(int(r["SequenceNumber"]), int(r["Data"])) for r in got], want)


def explicit_batch(k):
    name = k.stream(2)
    records = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(h)} for h in (0, HASH_KEYS - 1, 0)]
    answer = k.client.put_records(StreamName=name, Records=records)
    equal([r["ShardId"][-1] for r in answer["Records"]], ["0", "1", "0"])


def iterators(k):
    name = k.stream()
    sent = k.put(name, b"0", b"1")
    time.sleep(1.1)
    middle = datetime.datetime.now(datetime.timezone.utc)
    latest = k.iterator(name, kind="LATEST")
    sent += k.put(name, b"2", b"3")
    at = sent[1]["SequenceNumber"]
    equal(k.data(name, 4), [b"0", b"1", b"2", b"3"])
    equal([r["Data"] for r in k.records(latest, 2)], [b"2", b"3"])
    equal(k.data(name, 3, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=at), [b"1", b"2", b"3"])
    equal(k.data(name, 2, kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=at), [b"2", b"3"])
    equal(k.data(name, 2, kind="AT_TIMESTAMP", Timestamp=middle), [b"2", b"3"])
    equal(k.data(name, 4, kind="AT_TIMESTAMP", Timestamp=datetime.datetime.fromtimestamp(0)), [b"0", b"1", b"2", b"3"])
    first = k.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
    equal(k.data(name, 4, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=first), [b"0", b"1", b"2", b"3"])


def reading(k):
    name = k.stream()
    k.client.put_records(StreamName=name, Records=[{"Data": f"{i}".encode(), "PartitionKey": "k"} for i in range(100)])
    start = k.iterator(name)
    one = k.get(start, Limit=30)
    equal([int(r["Data"]) for r in one["Records"]], list(range(30)))
    holds(one["MillisBehindLatest"] >= 0, "less than nothing is behind")
    two = k.get(one["NextShardIterator"])
    equal([int(r["Data"]) for r in two["Records"]], list(range(30, 100)))
    equal(two["MillisBehindLatest"], 0)
    three = k.get(two["NextShardIterator"])
    equal((three["Records"], three["MillisBehindLatest"]), ([], 0))
    equal([int(r["Data"]) for r in k.get(start, Limit=1)["Records"]], [0], "an iterator again")
    k.put(name, b"100")
    equal([r["Data"] for r in k.records(three["NextShardIterator"], 1)], [b"100"])


def behind(k):
    name = k.stream()
    k.put(name, b"0")
    time.sleep(1.2)
    k.put(name, b"1")
    answer = k.get(k.iterator(name), Limit=1)
    holds(answer["MillisBehindLatest"] > 0, "nothing is behind")
    equal(k.get(answer["NextShardIterator"])["MillisBehindLatest"], 0)


def large_answers(k):
    """An answer holds at most 10 MiB; what does not fit comes next."""
    name = k.stream()
    for i in range(14):
        k.put(name, bytes([i]) * MIB, key="k")
    iterator, got, sizes = k.iterator(name), [], []
    while len(got) < 14:
        answer = k.get(iterator)
        iterator = answer["NextShardIterator"]
        got += [r["Data"][0] for r in answer["Records"]]
        sizes.append(sum(len(r["Data"]) for r in answer["Records"]))
    equal(got, list(range(14)))
    holds(max(sizes) <= 10 << 20 and len(sizes) > 1, f"{sizes}")


def empty_and_sizes(k):
    name = k.stream()
    k.put(name, b"", b"x" * MIB)
    k.put(name, b"x" * (MIB - 255), key="k" * 256)
    equal([len(d) for d in k.data(name, 3)], [0, MIB, MIB - 255])
    for size in (MIB + 1, 2 * MIB):
        try:
            k.client.put_record(StreamName=name, Data=b"x" * size, PartitionKey="k")
        except (k.client.exceptions.InvalidArgumentException, k.client.exceptions.ValidationException):
            continue
        raise AssertionError(f"{size} bytes were accepted")


def aggregated(k):
    """The format of the Kinesis Producer Library passes through untouched."""
    name = k.stream()
    agg = aggregator.RecordAggregator()
    want = [(f"k{i % 7}", f"나루 {i}".encode()) for i in range(200)]
    for key, data in want:
        agg.add_user_record(key, data)
    key, _, data = agg.clear_and_get().get_contents()
    k.client.put_record(StreamName=name, Data=data, PartitionKey=key)
    [record] = k.records(k.iterator(name), 1)
    # The library reads records as AWS Lambda hands them over, in Base64.
    lambda_record = {"kinesis": {"data": base64.b64encode(record["Data"]), "partitionKey": record["PartitionKey"], "sequenceNumber": record["SequenceNumber"],
                                 "kinesisSchemaVersion": "1.0", "approximateArrivalTimestamp": 0},
                     **{n: "" for n in ("eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN")}}
    got = deaggregator.deaggregate_records([lambda_record])
    equal([(r["kinesis"]["partitionKey"], base64.b64decode(r["kinesis"]["data"])) for r in got], want)


def two_readers(k):
    name = k.stream()
    a, b = k.iterator(name, kind="LATEST"), k.iterator(name, kind="LATEST")
    k.put(name, b"0", b"1")
    for i in (a, b):
        until("records", lambda: [r["Data"] for r in k.get(i)["Records"]] == [b"0", b"1"])


def run(suite, k):
    for title, check in [
        ("put and get", put), ("hash keys", keys), ("500 in one request", batch), ("explicit hash keys in one request", explicit_batch),
        ("the five kinds of iterators", iterators), ("limits and what comes next", reading), ("how far behind", behind), ("10 MiB an answer", large_answers),
        ("empty, and 1 MiB", empty_and_sizes), ("aggregated records", aggregated), ("two readers", two_readers),
    ]:
        suite.run("record: " + title, check, k)
