"""The endpoint under test, and a client of it."""

import hashlib
import os
import time

import boto3
from botocore.config import Config

from harness import equal, holds, unique, until

HASH_KEYS = 1 << 128


def hash_of(key):
    """The hash key of a partition key: its MD5 as a number."""
    return int.from_bytes(hashlib.md5(key.encode()).digest(), "big")


class Kinesis:
    def __init__(self):
        self.endpoint = os.environ["AWS_ENDPOINT_URL"].rstrip("/")
        self.region = os.environ.get("AWS_REGION", "us-east-1")
        self.client = self.connect()

    def connect(self, **settings):
        settings.setdefault("endpoint_url", self.endpoint)
        return boto3.session.Session().client("kinesis", region_name=self.region, config=Config(retries={"total_max_attempts": 1}), **settings)

    def stream(self, shards=1, **more):
        """Creates a stream, waits until it is active, and returns its name."""
        name = unique("s")
        more = more or {"ShardCount": shards}
        self.client.create_stream(StreamName=name, **more)
        self.active(name)
        return name

    def summary(self, name):
        return self.client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

    def arn(self, name):
        return self.summary(name)["StreamARN"]

    def active(self, name):
        until(f"{name} is active", lambda: self.summary(name)["StreamStatus"] == "ACTIVE")

    def shards(self, name, **more):
        return self.client.list_shards(StreamName=name, **more)["Shards"]

    def open(self, name):
        return [s for s in self.shards(name) if "EndingSequenceNumber" not in s["SequenceNumberRange"]]

    def put(self, name, *data, key="k", **more):
        """Puts each datum alone; returns the answers."""
        return [self.client.put_record(StreamName=name, Data=d, PartitionKey=key, **more) for d in data]

    def iterator(self, name, shard=None, kind="TRIM_HORIZON", **more):
        shard = shard or self.shards(name)[0]["ShardId"]
        return self.client.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType=kind, **more)["ShardIterator"]

    def get(self, iterator, **more):
        return self.client.get_records(ShardIterator=iterator, **more)

    def records(self, iterator, n, limit=60):
        """Reads until n records came, or the shard's end; fails if there are more."""
        out, end = [], time.monotonic() + limit
        while len(out) < n and iterator:
            answer = self.get(iterator)
            out += answer["Records"]
            iterator = answer.get("NextShardIterator")
            holds(len(out) >= n or time.monotonic() < end, f"{len(out)} of {n} records after {limit} s")
        equal(len(out), n, "records")
        return out

    def data(self, name, n, **more):
        return [r["Data"] for r in self.records(self.iterator(name, **more), n)]

    def drain(self, name, shard):
        """All records of a closed shard, and its last answer."""
        out, iterator, answer = [], self.iterator(name, shard), {}
        for _ in range(200):
            answer = self.get(iterator)
            out += answer["Records"]
            iterator = answer.get("NextShardIterator")
            if not iterator:
                return out, answer
        raise AssertionError(f"{shard} does not end")


def hash_range(shard):
    r = shard["HashKeyRange"]
    return int(r["StartingHashKey"]), int(r["EndingHashKey"])


def covers(shards):
    """Open shards must share out all hash keys, without a gap."""
    ranges = sorted(hash_range(s) for s in shards)
    equal(ranges[0][0], 0)
    equal(ranges[-1][1], HASH_KEYS - 1)
    for (_, end), (start, _) in zip(ranges, ranges[1:]):
        equal(start, end + 1, "start of a range")
