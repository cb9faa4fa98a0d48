"""What is refused, and in which words. Where one of AWS's emulators gives them the
words are asked for in full."""

import boto3
from botocore.config import Config

from harness import equal, fails, holds, unique


def unknown(k):
    name = unique("none")
    text = f"Stream {name} under account "
    for call, more in [(k.client.describe_stream, {}), (k.client.describe_stream_summary, {}), (k.client.list_shards, {}),
                       (k.client.put_record, {"Data": b"x", "PartitionKey": "k"}),
                       (k.client.put_records, {"Records": [{"Data": b"x", "PartitionKey": "k"}]}),
                       (k.client.split_shard, {"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "10"}),
                       (k.client.merge_shards, {"ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001"})]:
        message = fails("ResourceNotFoundException", call, text, StreamName=name, **more)
        holds(message.endswith(" not found."), message)
    fails("ResourceNotFoundException", k.client.get_shard_iterator, name, StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="LATEST")


def no_shard(k):
    name = k.stream()
    shard = "shardId-000000000009"
    message = fails("ResourceNotFoundException", k.client.get_shard_iterator, f"Shard {shard} in stream {name} under account ",
                    StreamName=name, ShardId=shard, ShardIteratorType="LATEST")
    holds(message.endswith(" does not exist"), message)


def no_stream_named(k):
    fails("InvalidArgumentException", k.client.describe_stream)
    fails("InvalidArgumentException", k.client.put_record, Data=b"x", PartitionKey="k")


def constraints(k):
    """The client checks some by itself, so a second one that does not is asked."""
    raw = lax(k)
    message = fails("ValidationException", raw.create_stream, StreamName="", ShardCount=0)
    equal(message, "3 validation errors detected: Value '0' at 'shardCount' failed to satisfy constraint: Member must have value greater than or equal to 1; "
          "Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
          "Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1")
    message = fails("ValidationException", raw.put_record, StreamName="a;b", Data=b"x", PartitionKey="")
    holds("Value 'a;b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+" in message, message)
    holds("Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1" in message, message)
    message = fails("ValidationException", raw.put_record, StreamName="a", Data=b"x", PartitionKey="k" * 257)
    equal(message, f"1 validation error detected: Value '{'k' * 257}' at 'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256")
    message = fails("ValidationException", raw.get_records, ShardIterator="x", Limit=10001)
    equal(message, "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000")
    message = fails("ValidationException", raw.get_shard_iterator, StreamName="a", ShardId="a", ShardIteratorType="NO")
    equal(message, "1 validation error detected: Value 'NO' at 'shardIteratorType' failed to satisfy constraint: "
          "Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]")
    name = k.stream()
    fails("ValidationException", raw.put_records, "Member must have length less than or equal to 500", StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}] * 501)
    fails("ValidationException", raw.put_records, "partitionKey", StreamName=name,
          Records=[{"Data": b"x", "PartitionKey": ""}])


def lax(k):
    """A client that sends whatever it is told to."""
    return boto3.session.Session().client("kinesis", region_name=k.region, endpoint_url=k.endpoint,
                                          config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))


def sequence_numbers(k):
    name = k.stream()
    for number, code in (("0", "InvalidArgumentException"), ("abc", "ValidationException"), ("1" * 200, "ValidationException")):
        fails(code, k.client.get_shard_iterator, StreamName=name, ShardId="shardId-000000000000",
              ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    fails("InvalidArgumentException", k.client.get_shard_iterator, StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="AT_SEQUENCE_NUMBER")
    fails("InvalidArgumentException", k.client.get_shard_iterator, StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="AT_TIMESTAMP")


def bad_iterator(k):
    fails("InvalidArgumentException", k.client.get_records, ShardIterator="AAAAAAAAAAEsmth")


def too_large(k):
    name = k.stream()
    fails("InvalidArgumentException", k.client.put_records, StreamName=name,
          Records=[{"Data": b"x" * (1 << 20), "PartitionKey": f"{i}"} for i in range(11)])
    equal(k.get(k.iterator(name))["Records"], [])


def run(suite, k):
    for title, check in [("an unknown stream", unknown), ("an unknown shard", no_shard), ("no stream named", no_stream_named), ("constraints", constraints),
                         ("sequence numbers", sequence_numbers), ("an iterator that is none", bad_iterator), ("a request that is too large", too_large)]:
        suite.run("refused: " + title, check, k)
