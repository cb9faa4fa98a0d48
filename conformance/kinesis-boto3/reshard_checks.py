"""Resharding: closed parents are drained, then their children."""

import datetime
import time

from harness import equal, fails, holds
from kinesis import HASH_KEYS, covers, hash_of, hash_range


def split(k, name, shard, at=None):
    [parent] = [s for s in k.shards(name) if s["ShardId"] == shard]
    start, end = hash_range(parent)
    k.client.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(at or (start + end) // 2 + 1))
    k.active(name)


def splitting(k):
    name = k.stream()
    k.put(name, b"0", b"1")
    split(k, name, "shardId-000000000000")
    shards = k.shards(name)
    equal([s["ShardId"][-1] for s in shards], ["0", "1", "2"])
    equal([s.get("ParentShardId") for s in shards], [None] + ["shardId-000000000000"] * 2)
    equal([hash_range(s) for s in shards[1:]], [(0, HASH_KEYS // 2 - 1), (HASH_KEYS // 2, HASH_KEYS - 1)])
    covers(k.open(name))
    end = int(shards[0]["SequenceNumberRange"]["EndingSequenceNumber"])
    for s in shards[1:]:
        holds(int(s["SequenceNumberRange"]["StartingSequenceNumber"]) > end, "a child begins before its parent's end")
    sent = [k.put(name, b"x", key=f"k{i}")[0] for i in range(20)]
    for i, r in enumerate(sent):
        child = shards[1] if hash_of(f"k{i}") < HASH_KEYS // 2 else shards[2]
        equal(r["ShardId"], child["ShardId"])
    records, last = k.drain(name, "shardId-000000000000")
    equal([r["Data"] for r in records], [b"0", b"1"])
    holds(all(int(r["SequenceNumber"]) <= end for r in records), "a record after its shard's end")
    equal(sorted((c["ShardId"], c["ParentShards"], hash_range(c)) for c in last["ChildShards"]),
          [(s["ShardId"], ["shardId-000000000000"], hash_range(s)) for s in shards[1:]])
    equal(last["MillisBehindLatest"], 0)
    equal(k.summary(name)["OpenShardCount"], 2)


def merging(k):
    name = k.stream(2)
    a, b = [s["ShardId"] for s in k.shards(name)]
    for i in range(10):
        k.put(name, f"{i}".encode(), key=f"k{i}")
    k.client.merge_shards(StreamName=name, ShardToMerge=a, AdjacentShardToMerge=b)
    k.active(name)
    child = k.shards(name)[2]
    equal((child["ParentShardId"], child["AdjacentParentShardId"], hash_range(child)), (a, b, (0, HASH_KEYS - 1)))
    equal([s["ShardId"] for s in k.open(name)], [child["ShardId"]])
    got = []
    for shard in (a, b):
        records, last = k.drain(name, shard)
        got += [int(r["Data"]) for r in records]
        [c] = last["ChildShards"]
        equal((c["ShardId"], sorted(c["ParentShards"])), (child["ShardId"], [a, b]))
    equal(sorted(got), list(range(10)))
    equal(k.put(name, b"x")[0]["ShardId"], child["ShardId"])


def refused(k):
    name = k.stream(3)
    ids = [s["ShardId"] for s in k.shards(name)]
    start, end = hash_range(k.shards(name)[0])
    for at in (start, end, end + 1):
        fails("InvalidArgumentException", k.client.split_shard, StreamName=name, ShardToSplit=ids[0], NewStartingHashKey=str(at))
    fails("InvalidArgumentException", k.client.merge_shards, StreamName=name, ShardToMerge=ids[0], AdjacentShardToMerge=ids[2])
    fails("ResourceNotFoundException", k.client.split_shard, StreamName=name, ShardToSplit="shardId-000000000009", NewStartingHashKey="10")
    split(k, name, ids[0])
    fails("InvalidArgumentException", k.client.split_shard, StreamName=name, ShardToSplit=ids[0], NewStartingHashKey="10")


def counting(k):
    name = k.stream(2)
    for target, by in ((4, "doubled"), (2, "halved"), (3, "neither")):
        current = k.summary(name)["OpenShardCount"]
        got = k.client.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        equal((got["StreamName"], got["CurrentShardCount"], got["TargetShardCount"]), (name, current, target))
        k.active(name)
        shards = k.open(name)
        equal(len(shards), target, by)
        covers(shards)
        sizes = [end - start + 1 for start, end in map(hash_range, shards)]
        holds(max(sizes) - min(sizes) <= target, f"{by}: {sizes}")


def order(k):
    """Through splits and merges each key's records are read in the order they were put."""
    name = k.stream(1)
    sent = {}

    def put(n):
        for i in range(n):
            key = f"k{i % 5}"
            sent.setdefault(key, []).append(len(sent.get(key, [])))
            k.put(name, str(sent[key][-1]).encode(), key=key)

    put(20)
    split(k, name, "shardId-000000000000")
    put(20)
    k.client.merge_shards(StreamName=name, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002")
    k.active(name)
    put(20)
    got, todo, seen = {}, ["shardId-000000000000"], set()
    while todo:
        shard = todo.pop(0)
        if shard in seen:
            continue
        seen.add(shard)
        closed = "EndingSequenceNumber" in next(s for s in k.shards(name) if s["ShardId"] == shard)["SequenceNumberRange"]
        if closed:
            records, last = k.drain(name, shard)
            todo += [c["ShardId"] for c in last["ChildShards"]]
        else:
            records = k.records(k.iterator(name, shard), 20)
        for r in records:
            got.setdefault(r["PartitionKey"], []).append(int(r["Data"]))
    equal(got, sent)


def filters(k):
    name = k.stream(1)
    begin = datetime.datetime.now(datetime.timezone.utc)
    time.sleep(1.1)
    split(k, name, "shardId-000000000000")
    time.sleep(1.1)
    later = datetime.datetime.now(datetime.timezone.utc)

    def shards(**f):
        return [s["ShardId"][-1] for s in k.shards(name, ShardFilter=f)]

    equal(shards(Type="AT_TRIM_HORIZON"), ["0"])
    equal(shards(Type="AT_LATEST"), ["1", "2"])
    equal(shards(Type="FROM_TRIM_HORIZON"), ["0", "1", "2"])
    equal(shards(Type="AFTER_SHARD_ID", ShardId="shardId-000000000000"), ["1", "2"])
    equal(shards(Type="AT_TIMESTAMP", Timestamp=begin), ["0"])
    equal(shards(Type="AT_TIMESTAMP", Timestamp=later), ["1", "2"])
    equal(shards(Type="FROM_TIMESTAMP", Timestamp=begin), ["0", "1", "2"])
    equal(shards(Type="FROM_TIMESTAMP", Timestamp=later), ["1", "2"])


def closed_iterators(k):
    """Of a closed shard LATEST is its end, and what is after its last record too."""
    name = k.stream()
    sent = k.put(name, b"0", b"1")
    split(k, name, "shardId-000000000000")
    for more in ({"kind": "LATEST"}, {"kind": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": sent[1]["SequenceNumber"]}):
        answer = k.get(k.iterator(name, "shardId-000000000000", **more))
        equal((answer["Records"], answer.get("NextShardIterator"), len(answer["ChildShards"])), ([], None, 2))


def run(suite, k):
    for title, check in [("a split", splitting), ("a merge", merging), ("what is refused", refused), ("a new count of shards", counting),
                         ("order of each key", order), ("filters of shards", filters), ("iterators of a closed shard", closed_iterators)]:
        suite.run("reshard: " + title, check, k)
