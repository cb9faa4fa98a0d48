"""Administration with librdkafka's AdminClient."""

import os
import time

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka import TopicCollection
from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec)

from harness import equal, fails, take, unique, until


def run(suite, broker):
    suite.run("admin, create, list, describe and delete a topic", topic_life, broker)
    suite.run("admin, bad topics are refused", topic_refused, broker)
    suite.run("admin, validate only", validate_only, broker)
    suite.run("admin, add partitions", add_partitions, broker)
    suite.run("admin, describe and change settings", configs, broker)
    suite.run("admin, an unknown setting is refused", bad_config, broker)
    suite.run("admin, broker settings", broker_config, broker)
    suite.run("admin, list offsets: earliest, latest, time, greatest time", list_offsets, broker)
    suite.run("admin, delete records", delete_records, broker)
    suite.run("admin, groups: list, describe, alter offsets, delete", groups, broker)
    suite.run("admin, a group with members", group_in_use, broker)
    suite.run("admin, describe the cluster", cluster, broker)


def one(futures):
    """The result of the only future of an answer."""
    (future,) = futures.values()
    return future.result(20)


def topic_life(broker):
    topic = broker.topic(partitions=3, retention_ms=3_600_000)
    listed = broker.admin.list_topics(timeout=20)
    equal(len(listed.topics[topic].partitions), 3, "partitions")
    described = one(broker.admin.describe_topics(TopicCollection([topic])))
    equal((described.name, len(described.partitions), described.is_internal), (topic, 3, False), "description")
    for p in described.partitions:
        equal((len(p.replicas), len(p.isr)), (1, 1), "replicas and ISR")
    one(broker.admin.delete_topics([topic]))
    until("it is gone", lambda: topic not in broker.admin.list_topics(timeout=20).topics)
    fails(KafkaError.UNKNOWN_TOPIC_OR_PART, one, broker.admin.delete_topics([topic]))


def topic_refused(broker):
    topic = broker.topic()
    for spec, want in [
        (NewTopic(topic, 1, 1), KafkaError.TOPIC_ALREADY_EXISTS),
        (NewTopic("a topic", 1, 1), KafkaError.TOPIC_EXCEPTION),
        (NewTopic(unique("three"), 1, 3), KafkaError.INVALID_REPLICATION_FACTOR),
    ]:
        fails(want, one, broker.admin.create_topics([spec]))


def validate_only(broker):
    topic = unique("validate")
    one(broker.admin.create_topics([NewTopic(topic, 1, 1)], validate_only=True))
    equal(topic in broker.admin.list_topics(timeout=20).topics, False, "exists")


def add_partitions(broker):
    topic = broker.topic(partitions=2)
    one(broker.admin.create_partitions([NewPartitions(topic, 5)]))
    until("5 partitions", lambda: len(broker.admin.list_topics(topic, 20).topics[topic].partitions) == 5)
    fails(KafkaError.INVALID_PARTITIONS, one, broker.admin.create_partitions([NewPartitions(topic, 3)]))


def describe(broker, topic):
    return one(broker.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))


def configs(broker):
    topic = broker.topic(retention_bytes=1_000_000)
    default = describe(broker, topic)["retention.ms"].value
    for op, value, want in [(AlterConfigOpType.SET, "123456", "123456"), (AlterConfigOpType.DELETE, None, default)]:
        entry = ConfigEntry("retention.ms", value, incremental_operation=op)
        one(broker.admin.incremental_alter_configs(
            [ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])]))
        until(f"retention.ms is {want}", lambda: describe(broker, topic)["retention.ms"].value == want)
    got = describe(broker, topic)
    equal(got["retention.bytes"].value, "1000000", "the other setting")
    for name in ["max.message.bytes", "compression.type", "message.timestamp.type", "cleanup.policy",
                 "min.insync.replicas", "retention.ms"]:
        equal(name in got, True, f"{name} is described")


def bad_config(broker):
    for name, value in [("no.such.setting", "1"), ("retention.ms", "soon")]:
        fails(KafkaError.INVALID_CONFIG, one,
              broker.admin.create_topics([NewTopic(unique("bad"), 1, 1, config={name: value})]))


def broker_config(broker):
    node = next(iter(broker.admin.list_topics(timeout=20).brokers))
    got = one(broker.admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, str(node))]))
    equal(len(got) > 0, True, "some settings")


def list_offsets(broker):
    topic, base = broker.topic(), int(time.time() * 1000) - 100_000
    broker.fill(topic, 50, base)
    partition = TopicPartition(topic, 0)
    for spec, want in [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 50), (OffsetSpec.for_timestamp(base + 20), 20),
                       (OffsetSpec.for_timestamp(base + 5000), -1), (OffsetSpec.max_timestamp(), 49)]:
        got = one(broker.admin.list_offsets({partition: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED))
        equal(got.offset, want, f"offset of {type(spec).__name__}")


def delete_records(broker):
    topic = broker.topic()
    broker.fill(topic, 100)
    got = one(broker.admin.delete_records([TopicPartition(topic, 0, 30)]))
    equal(got.low_watermark, 30, "low watermark")
    equal(broker.read(topic, 1)[0].offset(), 30, "first offset")
    fails(KafkaError.OFFSET_OUT_OF_RANGE, one, broker.admin.delete_records([TopicPartition(topic, 0, 500)]))


def groups(broker):
    topic, group = broker.topic(), unique("g")
    broker.fill(topic, 10)
    consumer = broker.consumer(group)
    consumer.subscribe([topic])
    consumer.commit(message=take(consumer, 10)[-1], asynchronous=False)
    consumer.close()
    listed = broker.admin.list_consumer_groups().result(20)
    equal(group in [g.group_id for g in listed.valid], True, "listed")
    equal(listed.errors, [], "errors")
    until("it is empty", lambda: one(broker.admin.describe_consumer_groups([group])).state.name == "EMPTY")
    got = one(broker.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    equal([(p.topic, p.offset) for p in got.topic_partitions], [(topic, 10)], "offsets")
    one(broker.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 4)])]))
    consumer = broker.consumer(group)
    consumer.subscribe([topic])
    equal(take(consumer, 1)[0].offset(), 4, "after the change")
    consumer.close()
    one(broker.admin.delete_consumer_groups([group]))
    fails(KafkaError.GROUP_ID_NOT_FOUND, one, broker.admin.delete_consumer_groups([group]))


def group_in_use(broker):
    topic, group = broker.topic(partitions=3), unique("g")
    consumer = broker.consumer(group, **{"client.id": "client-7", "partition.assignment.strategy": "range"})
    consumer.subscribe([topic])
    until("assigned", lambda: len(consumer.assignment()) == 3, between=lambda: consumer.poll(0.1))
    got = one(broker.admin.describe_consumer_groups([group]))
    equal((got.state.name, got.partition_assignor, len(got.members)), ("STABLE", "range", 1), "description")
    member = got.members[0]
    equal((member.client_id, len(member.assignment.topic_partitions)), ("client-7", 3), "member")
    fails(KafkaError.NON_EMPTY_GROUP, one, broker.admin.delete_consumer_groups([group]))
    consumer.close()


def cluster(broker):
    got = broker.admin.describe_cluster().result(20)
    brokers = int(os.environ.get("BROKERS", 1))
    equal((len(got.nodes), bool(got.cluster_id), got.controller is not None), (brokers, True, True), "cluster")
