package conformance;

import static conformance.Suite.equal;
import static conformance.Suite.fails;
import static conformance.Suite.until;

import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InconsistentGroupProtocolException;

/** Consumer groups: the classic protocol, its assignors, static members. */
final class GroupChecks {
    private final Suite suite;
    private final Broker broker;

    GroupChecks(Suite suite, Broker broker) {
        this.suite = suite;
        this.broker = broker;
    }

    void run() {
        for (Class<?> c : List.of(RangeAssignor.class, RoundRobinAssignor.class, StickyAssignor.class, CooperativeStickyAssignor.class)) {
            suite.run("group, two members share all partitions, " + c.getSimpleName(), () -> share(c));
        }
        suite.run("group, commits and goes on where it was", this::resume);
        suite.run("group, auto-commit on close", this::autoCommit);
        suite.run("group, metadata of a committed offset", this::metadata);
        suite.run("group, a static member comes back without a rebalance", this::staticMember);
        suite.run("group, a second static member of the same name fences the first", this::fenced);
        suite.run("group, no assignor in common: InconsistentGroupProtocol", this::inconsistent);
        suite.run("group, a pattern finds a later topic", this::pattern);
        suite.run("group, partitions added to a topic reach its members", this::newPartitions);
    }

    /** A consumer that polls in its own thread and remembers what it owns. */
    private final class Member implements ConsumerRebalanceListener, AutoCloseable {
        final Set<Integer> owned = new ConcurrentSkipListSet<>();
        final AtomicInteger gained = new AtomicInteger();
        final AtomicInteger lost = new AtomicInteger();
        final AtomicReference<Exception> error = new AtomicReference<>();
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final Thread thread;
        private volatile boolean stop;

        Member(String topic, String group, Object... settings) {
            Object[] base = {"group.id", group, "session.timeout.ms", 30_000, "heartbeat.interval.ms", 200, "metadata.max.age.ms", 1000};
            Object[] all = new Object[base.length + settings.length];
            System.arraycopy(base, 0, all, 0, base.length);
            System.arraycopy(settings, 0, all, base.length, settings.length);
            consumer = broker.consumer(all);
            thread = new Thread(() -> {
                try (consumer) {
                    consumer.subscribe(List.of(topic), this);
                    while (!stop) {
                        consumer.poll(Duration.ofMillis(100));
                    }
                } catch (Exception e) {
                    error.set(e);
                }
            });
            thread.start();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            gained.addAndGet(partitions.size()); // before what others wait for
            partitions.forEach(p -> owned.add(p.partition()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            lost.addAndGet(partitions.size());
            partitions.forEach(p -> owned.remove(p.partition()));
        }

        boolean owns(int n) throws Exception {
            if (error.get() != null) {
                throw error.get();
            }
            return owned.size() == n;
        }

        @Override
        public void close() throws Exception {
            stop = true;
            thread.join(20_000);
        }
    }

    private void share(Class<?> assignor) throws Exception {
        String topic = broker.topic(6);
        String group = Broker.unique("g");
        Object[] settings = {"partition.assignment.strategy", assignor.getName()};
        try (Member a = new Member(topic, group, settings)) {
            until("the first has 6", () -> a.owns(6));
            try (Member b = new Member(topic, group, settings)) {
                until("each has 3", () -> a.owns(3) && b.owns(3));
                Set<Integer> both = new TreeSet<>(a.owned);
                both.addAll(b.owned);
                equal(both.size(), 6, "different partitions");
                if (assignor == CooperativeStickyAssignor.class) {
                    equal(List.of(a.gained.get(), a.lost.get()), List.of(6, 3), "gained and lost by the first");
                }
            }
            until("the first has 6 again", () -> a.owns(6));
        }
    }

    private void resume() throws Exception {
        String topic = broker.topic(1);
        String group = Broker.unique("g");
        broker.fill(topic, 80);
        for (long begin : new long[] {0, 40}) {
            try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", group, "max.poll.records", 40)) {
                c.subscribe(List.of(topic));
                List<ConsumerRecord<byte[], byte[]>> got = Broker.take(c, 40);
                equal(got.get(0).offset(), begin, "first offset");
                c.commitSync();
            }
        }
    }

    private void autoCommit() throws Exception {
        String topic = broker.topic(1);
        String group = Broker.unique("g");
        broker.fill(topic, 10);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", group, "enable.auto.commit", true)) {
            c.subscribe(List.of(topic));
            Broker.take(c, 10);
        }
        Map<TopicPartition, OffsetAndMetadata> got =
                broker.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal(got.get(new TopicPartition(topic, 0)).offset(), 10L, "committed");
    }

    private void metadata() throws Exception {
        TopicPartition p = new TopicPartition(broker.topic(1), 0);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", Broker.unique("g"))) {
            equal(c.committed(Set.of(p)).get(p), null, "nothing committed");
            c.assign(List.of(p));
            c.commitSync(Map.of(p, new OffsetAndMetadata(42, "나루")));
            equal(c.committed(Set.of(p)).get(p).offset(), 42L, "offset");
            equal(c.committed(Set.of(p)).get(p).metadata(), "나루", "metadata");
        }
    }

    private void staticMember() throws Exception {
        String topic = broker.topic(4);
        String group = Broker.unique("g");
        try (Member a = new Member(topic, group, "group.instance.id", "a")) {
            Set<Integer> before;
            List<Integer> moved;
            try (Member b = new Member(topic, group, "group.instance.id", "b")) {
                until("each has 2", () -> a.owns(2) && b.owns(2));
                before = new HashSet<>(b.owned);
                moved = List.of(a.gained.get(), a.lost.get());
            }
            try (Member again = new Member(topic, group, "group.instance.id", "b")) {
                until("it is back", () -> again.owns(2));
                equal(new HashSet<>(again.owned), before, "its partitions");
                equal(List.of(a.gained.get(), a.lost.get()), moved, "gained and lost by the other");
            }
        }
    }

    private void fenced() throws Exception {
        String topic = broker.topic(2);
        String group = Broker.unique("g");
        try (Member a = new Member(topic, group, "group.instance.id", "one")) {
            until("the first has 2", () -> a.owns(2));
            try (Member b = new Member(topic, group, "group.instance.id", "one")) {
                until("the first is told", () -> a.error.get() != null);
                fails(FencedInstanceIdException.class, () -> a.owns(2));
                until("the second has 2", () -> b.owns(2));
            }
        }
    }

    private void inconsistent() throws Exception {
        String topic = broker.topic(2);
        String group = Broker.unique("g");
        try (Member a = new Member(topic, group, "partition.assignment.strategy", RangeAssignor.class.getName())) {
            until("the first has 2", () -> a.owns(2));
            try (Member b = new Member(topic, group, "partition.assignment.strategy", RoundRobinAssignor.class.getName())) {
                until("the second is told", () -> b.error.get() != null);
                fails(InconsistentGroupProtocolException.class, () -> b.owns(2));
            }
        }
    }

    private void pattern() throws Exception {
        String prefix = Broker.unique("re");
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", Broker.unique("g"), "metadata.max.age.ms", 300)) {
            c.subscribe(Pattern.compile(prefix + "-.*"));
            for (int i = 0; i < 2; i++) {
                broker.fill(prefix + "-" + i, 1);
                equal(Broker.take(c, 1).get(0).topic(), prefix + "-" + i, "topic");
                c.commitSync();
            }
        }
    }

    private void newPartitions() throws Exception {
        String topic = broker.topic(2);
        try (Member a = new Member(topic, Broker.unique("g"))) {
            until("2 partitions", () -> a.owns(2));
            broker.admin.createPartitions(Map.of(topic, org.apache.kafka.clients.admin.NewPartitions.increaseTo(5))).all().get();
            until("5 partitions", () -> a.owns(5));
        }
    }
}
