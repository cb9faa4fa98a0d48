"""Drives a Kinesis endpoint with the AWS CLI (version 1): `aws kinesis …`.

The commands run in this process, which is what the program `aws` does after a
second of loading. The endpoint, the region and the keys come from the variables
that every AWS client reads.

    main.py [--only TITLE] [--no-keys]
"""

import argparse
import base64
import contextlib
import io
import json
import os
import sys
import time
import traceback

from awscli.clidriver import create_clidriver

os.environ.setdefault("AWS_DEFAULT_REGION", os.environ.get("AWS_REGION", "us-east-1"))
os.environ["AWS_MAX_ATTEMPTS"] = "1"
endpoint = os.environ["AWS_ENDPOINT_URL"]  # version 1 reads it only as an option
driver = create_clidriver()
serial = 0
FIRST = "shardId-000000000000"


class Refused(Exception):
    pass


def aws(*words):
    """Runs `aws kinesis WORDS`; the answer, or an exception with what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = driver.main(["--endpoint-url", endpoint, "kinesis", *words, "--output", "json"])
    if status:
        raise Refused(err.getvalue().strip())
    return json.loads(out.getvalue()) if out.getvalue().strip() else {}


def refused(text, *words):
    try:
        aws(*words)
    except Refused as e:
        if text not in str(e):
            raise AssertionError(f"{str(e)!r} does not say {text!r}") from e
    else:
        raise AssertionError(f"it was accepted, want {text}")


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def stream(shards=1):
    global serial
    serial += 1
    name = f"cli-{os.getpid()}-{int(time.time())}-{serial}"
    aws("create-stream", "--stream-name", name, "--shard-count", str(shards))
    active(name)
    return name


def active(name):
    aws("wait", "stream-exists", "--stream-name", name)


def put(name, data, key="k"):
    return aws("put-record", "--stream-name", name, "--partition-key", key, "--data", data)


def read(name, shard=FIRST, kind="TRIM_HORIZON", *more):
    iterator = aws("get-shard-iterator", "--stream-name", name, "--shard-id", shard, "--shard-iterator-type", kind, *more)["ShardIterator"]
    return [base64.b64decode(r["Data"]).decode() for r in aws("get-records", "--shard-iterator", iterator)["Records"]]


def lifecycle():
    name = stream(2)
    d = aws("describe-stream", "--stream-name", name)["StreamDescription"]
    equal((d["StreamStatus"], [s["ShardId"] for s in d["Shards"]]), ("ACTIVE", [FIRST, "shardId-000000000001"]))
    equal(aws("describe-stream-summary", "--stream-name", name)["StreamDescriptionSummary"]["OpenShardCount"], 2)
    equal(name in aws("list-streams")["StreamNames"], True)
    aws("delete-stream", "--stream-name", name)
    aws("wait", "stream-not-exists", "--stream-name", name)
    refused("(ResourceNotFoundException)", "describe-stream", "--stream-name", name)


def records():
    name = stream()
    sent = [put(name, "나루"), put(name, "b"), put(name, "c")]
    equal([s["ShardId"] for s in sent], [FIRST] * 3)
    equal(read(name), ["나루", "b", "c"])
    equal(read(name, FIRST, "AFTER_SEQUENCE_NUMBER", "--starting-sequence-number", sent[0]["SequenceNumber"]), ["b", "c"])
    equal(read(name, FIRST, "AT_TIMESTAMP", "--timestamp", "2020-01-01T00:00:00Z"), ["나루", "b", "c"])


def batch():
    name = stream()
    entries = [{"Data": f"{i}", "PartitionKey": f"k{i}"} for i in range(100)]
    answer = aws("put-records", "--stream-name", name, "--records", json.dumps(entries))
    equal((answer["FailedRecordCount"], len(answer["Records"])), (0, 100))
    equal(read(name), [f"{i}" for i in range(100)])


def reshard():
    name = stream()
    put(name, "0")
    aws("split-shard", "--stream-name", name, "--shard-to-split", FIRST, "--new-starting-hash-key", str(1 << 127))
    active(name)
    aws("merge-shards", "--stream-name", name, "--shard-to-merge", "shardId-000000000001", "--adjacent-shard-to-merge", "shardId-000000000002")
    active(name)
    aws("update-shard-count", "--stream-name", name, "--target-shard-count", "2", "--scaling-type", "UNIFORM_SCALING")
    active(name)
    shards = aws("list-shards", "--stream-name", name)["Shards"]
    open_shards = [s for s in shards if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
    equal(len(open_shards), 2)
    equal(read(name), ["0"])
    latest = aws("list-shards", "--stream-name", name, "--shard-filter", "Type=AT_LATEST")["Shards"]
    equal(latest, open_shards)


def consumers():
    name = stream()
    arn = aws("describe-stream-summary", "--stream-name", name)["StreamDescriptionSummary"]["StreamARN"]
    consumer = aws("register-stream-consumer", "--stream-arn", arn, "--consumer-name", "c")["Consumer"]["ConsumerARN"]
    equal([c["ConsumerName"] for c in aws("list-stream-consumers", "--stream-arn", arn)["Consumers"]], ["c"])
    equal(aws("describe-stream-consumer", "--consumer-arn", consumer)["ConsumerDescription"]["StreamARN"], arn)
    aws("deregister-stream-consumer", "--consumer-arn", consumer)


def tags():
    name = stream()
    aws("add-tags-to-stream", "--stream-name", name, "--tags", "a=1,b=2")
    aws("remove-tags-from-stream", "--stream-name", name, "--tag-keys", "a")
    equal(aws("list-tags-for-stream", "--stream-name", name)["Tags"], [{"Key": "b", "Value": "2"}])


def refusals():
    name = stream()
    refused("(ResourceInUseException)", "create-stream", "--stream-name", name, "--shard-count", "1")
    refused("(ResourceNotFoundException)", "put-record", "--stream-name", name + "x", "--partition-key", "k", "--data", "x")
    refused("(InvalidArgumentException)", "get-records", "--shard-iterator", "none")


def keys():
    global driver
    key = os.environ["AWS_ACCESS_KEY_ID"]
    try:
        os.environ["AWS_ACCESS_KEY_ID"] = "NOBODY"
        driver = create_clidriver()
        refused("(UnrecognizedClientException)", "list-streams")
    finally:
        os.environ["AWS_ACCESS_KEY_ID"] = key
        driver = create_clidriver()


CHECKS = [("create, describe, list, delete", lifecycle), ("records", records), ("a batch", batch), ("split, merge, count", reshard), ("consumers", consumers),
          ("tags", tags), ("refusals", refusals), ("keys", keys)]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--only", default="")
    a.add_argument("--no-keys", action="store_true")
    o = a.parse_args()
    passed = failed = 0
    for title, check in CHECKS:
        if o.only not in title or o.no_keys and check is keys:
            continue
        start = time.monotonic()
        try:
            check()
        except Exception as e:  # every failure is counted, whatever it is
            failed += 1
            print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {str(e)[:400]}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            passed += 1
            print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)
    print(f"kinesis-cli: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
