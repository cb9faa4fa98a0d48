"""Streams: to create, describe, list, change and delete them."""

from harness import equal, fails, holds, unique, until
from kinesis import covers


def create(k):
    name = k.stream(3)
    d = k.client.describe_stream(StreamName=name)["StreamDescription"]
    equal((d["StreamName"], d["StreamStatus"], d["HasMoreShards"], d["RetentionPeriodHours"], d["EncryptionType"]), (name, "ACTIVE", False, 24, "NONE"))
    equal(d["StreamARN"].split(":")[:5], ["arn", "aws", "kinesis", k.region, d["StreamARN"].split(":")[4]])
    holds(d["StreamARN"].endswith(":stream/" + name), d["StreamARN"])
    equal(d["EnhancedMonitoring"], [{"ShardLevelMetrics": []}])
    equal([s["ShardId"] for s in d["Shards"]], [f"shardId-{i:012d}" for i in range(3)])
    covers(d["Shards"])
    for s in d["Shards"]:
        equal(set(s["SequenceNumberRange"]), {"StartingSequenceNumber"})
        equal("ParentShardId" in s, False)
        equal(len(s["SequenceNumberRange"]["StartingSequenceNumber"]), 56)
    s = k.summary(name)
    equal((s["OpenShardCount"], s["ConsumerCount"], s["StreamModeDetails"]), (3, 0, {"StreamMode": "PROVISIONED"}))
    equal(s["StreamCreationTimestamp"], d["StreamCreationTimestamp"])
    by_arn = k.client.describe_stream_summary(StreamARN=d["StreamARN"])["StreamDescriptionSummary"]
    equal(by_arn["StreamName"], name)


def twice(k):
    name = k.stream()
    fails("ResourceInUseException", k.client.create_stream, f"Stream {name} under account ", StreamName=name, ShardCount=1)


def delete(k):
    name = k.stream()
    k.client.delete_stream(StreamName=name)

    def gone():
        try:
            equal(k.summary(name)["StreamStatus"], "DELETING")
        except k.client.exceptions.ResourceNotFoundException:
            return True

    until("the stream is gone", gone)
    fails("ResourceNotFoundException", k.client.delete_stream, f"Stream {name} under account ", StreamName=name)
    fails("ResourceNotFoundException", k.client.describe_stream, f"Stream {name} under account ", StreamName=name)
    k.client.create_stream(StreamName=name, ShardCount=1)
    k.active(name)
    equal(k.get(k.iterator(name))["Records"], [])


def listing(k):
    names = sorted(k.stream() for _ in range(5))
    got, more = [], {"ExclusiveStartStreamName": names[0][:-1]}
    while True:
        page = k.client.list_streams(Limit=2, **more)
        holds(len(page["StreamNames"]) <= 2, "a page is too long")
        equal([s["StreamName"] for s in page["StreamSummaries"]], page["StreamNames"])
        got += page["StreamNames"]
        if not page["HasMoreStreams"]:
            break
        more = {"NextToken": page["NextToken"]} if len(got) > 2 and "NextToken" in page else {"ExclusiveStartStreamName": page["StreamNames"][-1]}
    equal([n for n in got if n in names], names)
    equal(got, sorted(got))


def describe_pages(k):
    name = k.stream(5)
    one = k.client.describe_stream(StreamName=name, Limit=2)["StreamDescription"]
    equal(([s["ShardId"][-1] for s in one["Shards"]], one["HasMoreShards"]), (["0", "1"], True))
    rest = k.client.describe_stream(StreamName=name, ExclusiveStartShardId=one["Shards"][-1]["ShardId"])["StreamDescription"]
    equal(([s["ShardId"][-1] for s in rest["Shards"]], rest["HasMoreShards"]), (["2", "3", "4"], False))


def shard_pages(k):
    name = k.stream(5)
    page = k.client.list_shards(StreamName=name, MaxResults=2)
    got = page["Shards"]
    while token := page.get("NextToken"):
        page = k.client.list_shards(NextToken=token, MaxResults=2)
        got += page["Shards"]
    equal([s["ShardId"] for s in got], [f"shardId-{i:012d}" for i in range(5)])
    after = k.shards(name, ExclusiveStartShardId="shardId-000000000002")
    equal([s["ShardId"][-1] for s in after], ["3", "4"])
    fails("InvalidArgumentException", k.client.list_shards, NextToken=k.client.list_shards(StreamName=name, MaxResults=2)["NextToken"], StreamName=name)


def tags(k):
    name = k.stream()
    arn = k.arn(name)
    k.client.add_tags_to_stream(StreamName=name, Tags={"b": "2", "a": "1", "이름": "나루"})
    got = k.client.list_tags_for_stream(StreamName=name)
    equal(({t["Key"]: t["Value"] for t in got["Tags"]}, got["HasMoreTags"]), ({"a": "1", "b": "2", "이름": "나루"}, False))
    first = k.client.list_tags_for_stream(StreamName=name, Limit=1)
    equal(([t["Key"] for t in first["Tags"]], first["HasMoreTags"]), (["a"], True))
    rest = k.client.list_tags_for_stream(StreamName=name, ExclusiveStartTagKey="a")
    equal([t["Key"] for t in rest["Tags"]], ["b", "이름"])
    k.client.remove_tags_from_stream(StreamARN=arn, TagKeys=["a", "never"])
    equal([t["Key"] for t in k.client.list_tags_for_stream(StreamARN=arn)["Tags"]], ["b", "이름"])
    k.client.tag_resource(ResourceARN=arn, Tags={"c": "3"})
    k.client.untag_resource(ResourceARN=arn, TagKeys=["b", "이름"])
    equal(k.client.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "c", "Value": "3"}])


def tags_at_birth(k):
    name = k.stream(ShardCount=1, Tags={"a": "1"})
    equal(k.client.list_tags_for_stream(StreamName=name)["Tags"], [{"Key": "a", "Value": "1"}])


def retention(k):
    name = k.stream()
    k.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    k.active(name)
    equal(k.summary(name)["RetentionPeriodHours"], 48)
    fails("InvalidArgumentException", k.client.increase_stream_retention_period, StreamName=name, RetentionPeriodHours=24)
    fails("InvalidArgumentException", k.client.decrease_stream_retention_period, StreamName=name, RetentionPeriodHours=72)
    k.client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    k.active(name)
    equal(k.summary(name)["RetentionPeriodHours"], 24)
    fails("InvalidArgumentException", k.client.decrease_stream_retention_period, StreamName=name, RetentionPeriodHours=23)


def modes(k):
    name = k.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    s = k.summary(name)
    equal((s["StreamModeDetails"]["StreamMode"], s["OpenShardCount"]), ("ON_DEMAND", 4))
    k.client.update_stream_mode(StreamARN=s["StreamARN"], StreamModeDetails={"StreamMode": "PROVISIONED"})
    k.active(name)
    equal(k.summary(name)["StreamModeDetails"]["StreamMode"], "PROVISIONED")


def encryption(k):
    name = k.stream()
    k.client.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    k.active(name)
    s = k.summary(name)
    equal((s["EncryptionType"], s["KeyId"]), ("KMS", "alias/aws/kinesis"))
    equal(k.put(name, b"x")[0].get("EncryptionType"), "KMS")
    k.client.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    k.active(name)
    equal(k.summary(name)["EncryptionType"], "NONE")


def monitoring(k):
    name = k.stream()
    got = k.client.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"])
    equal((got["CurrentShardLevelMetrics"], sorted(got["DesiredShardLevelMetrics"])), ([], ["IncomingBytes", "OutgoingBytes"]))
    k.active(name)
    got = k.client.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes"])
    equal((sorted(got["CurrentShardLevelMetrics"]), got["DesiredShardLevelMetrics"]), (["IncomingBytes", "OutgoingBytes"], ["OutgoingBytes"]))
    equal(k.summary(name)["EnhancedMonitoring"], [{"ShardLevelMetrics": ["OutgoingBytes"]}])


def limits(k):
    before = k.client.describe_limits()
    k.stream(2)
    after = k.client.describe_limits()
    equal(after["OpenShardCount"] - before["OpenShardCount"], 2)
    holds(after["ShardLimit"] >= after["OpenShardCount"] and after["OnDemandStreamCountLimit"] > 0, f"{after}")


def policy(k):
    arn = k.arn(k.stream())
    text = '{"Version":"2012-10-17","Statement":[]}'
    k.client.put_resource_policy(ResourceARN=arn, Policy=text)
    equal(k.client.get_resource_policy(ResourceARN=arn)["Policy"], text)
    k.client.delete_resource_policy(ResourceARN=arn)
    fails("ResourceNotFoundException", k.client.delete_resource_policy, ResourceARN=arn)


def settings(k):
    holds("MinimumThroughputBillingCommitment" in k.client.describe_account_settings(), "account settings")


def waiters(k):
    name = unique("w")
    k.client.create_stream(StreamName=name, ShardCount=1)
    k.client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    k.client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    k.client.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def run(suite, k):
    for title, check in [
        ("create and describe", create), ("a name that is taken", twice), ("delete, and create again", delete), ("list in pages", listing),
        ("describe in pages", describe_pages), ("list shards in pages", shard_pages), ("tags", tags), ("tags from the beginning", tags_at_birth),
        ("retention", retention), ("modes", modes), ("encryption is reported", encryption), ("monitoring is reported", monitoring),
        ("limits", limits), ("resource policy", policy), ("account settings", settings), ("waiters", waiters),
    ]:
        suite.run("stream: " + title, check, k)
