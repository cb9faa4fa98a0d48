"""Consumer groups: classic protocol, every assignor, static members."""

import threading

from confluent_kafka import KafkaError, TopicPartition

from harness import equal, fails, take, unique, until


def run(suite, broker):
    for assignor in ["range", "roundrobin", "cooperative-sticky"]:
        suite.run(f"group, two members share all partitions, {assignor}", share, broker, assignor)
    suite.run("group, commits and goes on where it was", resume, broker)
    suite.run("group, auto-commit", auto_commit, broker)
    suite.run("group, committed offsets and metadata round-trip", metadata, broker)
    suite.run("group, a static member comes back without a rebalance", static, broker)
    suite.run("group, a second static member of the same name fences the first", fenced, broker)
    suite.run("group, no assignor in common: INCONSISTENT_GROUP_PROTOCOL", inconsistent, broker)
    suite.run("group, a member that does not poll loses its partitions", max_poll, broker)
    suite.run("group, a pattern subscription finds a later topic", pattern, broker)


class Member:
    """A consumer that polls in a thread and remembers what it owns."""

    def __init__(self, broker, topic, group, **settings):
        self.owned, self.gained, self.lost, self.error = set(), 0, 0, None
        self.cooperative = settings.get("partition.assignment.strategy") == "cooperative-sticky"
        self.consumer = broker.consumer(group, **{"session.timeout.ms": 30000, "heartbeat.interval.ms": 200, **settings})
        self.consumer.subscribe([topic], on_assign=self.assign, on_revoke=self.revoke, on_lost=self.revoke)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.poll, daemon=True)
        self.thread.start()

    def assign(self, _, partitions):
        self.gained += len(partitions)  # before what others wait for
        self.owned |= {p.partition for p in partitions}

    def revoke(self, _, partitions):
        self.lost += len(partitions)
        self.owned -= {p.partition for p in partitions}

    def poll(self):
        while not self.stop.is_set():
            m = self.consumer.poll(0.1)
            if m is not None and m.error():
                self.error = m.error()

    def leave(self):
        self.stop.set()
        self.thread.join(20)
        self.consumer.close()


def share(broker, assignor):
    topic, group = broker.topic(partitions=6), unique("g")
    settings = {"partition.assignment.strategy": assignor}
    a = Member(broker, topic, group, **settings)
    until("the first has 6", lambda: len(a.owned) == 6)
    b = Member(broker, topic, group, **settings)
    until("each has 3", lambda: len(a.owned) == 3 and len(b.owned) == 3 and not a.owned & b.owned)
    if a.cooperative:
        equal((a.gained, a.lost), (6, 3), "partitions gained and lost by the first")
    b.leave()
    until("the first has 6 again", lambda: len(a.owned) == 6)
    a.leave()


def resume(broker):
    topic, group = broker.topic(), unique("g")
    broker.fill(topic, 100)
    for begin in [0, 40]:
        consumer = broker.consumer(group)
        consumer.subscribe([topic])
        got = take(consumer, 40)
        equal(got[0].offset(), begin, "first offset")
        consumer.commit(message=got[-1], asynchronous=False)
        consumer.close()


def auto_commit(broker):
    topic, group = broker.topic(), unique("g")
    broker.fill(topic, 10)
    consumer = broker.consumer(group, **{"enable.auto.commit": True, "auto.commit.interval.ms": 100})
    consumer.subscribe([topic])
    take(consumer, 10)
    consumer.close()
    consumer = broker.consumer(group)
    equal(consumer.committed([TopicPartition(topic, 0)], 20)[0].offset, 10, "committed")
    consumer.close()


def metadata(broker):
    topic, group = broker.topic(), unique("g")
    consumer = broker.consumer(group)
    equal(consumer.committed([TopicPartition(topic, 0)], 20)[0].offset, -1001, "nothing committed")
    consumer.commit(offsets=[TopicPartition(topic, 0, 42, metadata="나루")], asynchronous=False)
    got = consumer.committed([TopicPartition(topic, 0)], 20)[0]
    equal((got.offset, got.metadata), (42, "나루"), "committed")
    consumer.close()


def static(broker):
    topic, group = broker.topic(partitions=4), unique("g")
    a = Member(broker, topic, group, **{"group.instance.id": "a"})
    b = Member(broker, topic, group, **{"group.instance.id": "b"})
    until("each has 2", lambda: len(a.owned) == 2 and len(b.owned) == 2)
    before, lost = (a.gained, a.lost), set(b.owned)
    b.leave()
    b = Member(broker, topic, group, **{"group.instance.id": "b"})
    until("it is back", lambda: b.owned == lost)
    equal((a.gained, a.lost), before, "the other member's gains and losses")
    a.leave()
    b.leave()


def fenced(broker):
    topic, group = broker.topic(partitions=2), unique("g")
    a = Member(broker, topic, group, **{"group.instance.id": "one"})
    until("the first has 2", lambda: len(a.owned) == 2)
    b = Member(broker, topic, group, **{"group.instance.id": "one"})
    until("the first is fenced", lambda: a.error is not None)
    # librdkafka makes this error fatal; its own code for fatal errors is _FATAL.
    equal(a.error.code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID), True, f"error {a.error}")
    until("the second has 2", lambda: len(b.owned) == 2)
    b.leave()
    a.leave()


def inconsistent(broker):
    topic, group = broker.topic(partitions=2), unique("g")
    a = Member(broker, topic, group, **{"partition.assignment.strategy": "range"})
    until("the first has 2", lambda: len(a.owned) == 2)
    b = Member(broker, topic, group, **{"partition.assignment.strategy": "roundrobin"})
    until("the second is refused", lambda: b.error is not None)
    equal(b.error.code(), KafkaError.INCONSISTENT_GROUP_PROTOCOL, "error")
    b.leave()
    a.leave()


def max_poll(broker):
    topic, group = broker.topic(partitions=2), unique("g")
    broker.fill(topic, 1)
    slow = broker.consumer(group, **{"session.timeout.ms": 6000, "max.poll.interval.ms": 6000, "heartbeat.interval.ms": 200})
    slow.subscribe([topic])
    got = take(slow, 1)
    b = Member(broker, topic, group)
    until("the other member has both", lambda: len(b.owned) == 2, 40)
    fails(KafkaError.UNKNOWN_MEMBER_ID, commit_as_before, slow, got[0])
    b.leave()
    slow.close()


def commit_as_before(consumer, message):
    """A commit by a member that was put out; librdkafka may know it by itself."""
    from confluent_kafka import KafkaException
    try:
        consumer.commit(message=message, asynchronous=False)
    except KafkaException as e:
        if e.args[0].code() in (KafkaError._STATE, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS,
                                KafkaError._MAX_POLL_EXCEEDED):
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID)) from e
        raise


def pattern(broker):
    prefix, group = unique("re"), unique("g")
    consumer = broker.consumer(group, **{"topic.metadata.refresh.interval.ms": 500, "metadata.max.age.ms": 1000})
    for i in range(2):
        broker.send(f"{prefix}-{i}", [dict(value=str(i))])
        if i == 0:  # librdkafka calls it an error if nothing matches
            consumer.subscribe([f"^{prefix}-.*"])
        (got,) = take(consumer, 1)
        equal(got.value(), str(i).encode(), "value")
        consumer.commit(message=got, asynchronous=False)  # or the rebalance would read it again
    consumer.close()
