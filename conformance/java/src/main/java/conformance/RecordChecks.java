package conformance;

import static conformance.Suite.equal;
import static conformance.Suite.fails;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.record.TimestampType;

/** Produce and consume. The producer is idempotent unless a check says otherwise. */
final class RecordChecks {
    private final Suite suite;
    private final Broker broker;

    RecordChecks(Suite suite, Broker broker) {
        this.suite = suite;
        this.broker = broker;
    }

    void run() {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            suite.run("produce, " + codec + ": every shape of record comes back as it went",
                    () -> roundTrip("compression.type", codec));
        }
        suite.run("produce, acks=1", () -> roundTrip("acks", "1", "enable.idempotence", false));
        suite.run("produce, acks=0: the records arrive", this::acksNone);
        suite.run("produce, idempotent: 20,000 records in order", this::idempotent);
        suite.run("produce, a record just below max.message.bytes", this::large);
        suite.run("produce, a record over max.message.bytes: RecordTooLarge", this::tooLarge);
        suite.run("produce, LogAppendTime", this::logAppendTime);
        suite.run("produce, the topic is created on the way", this::autoCreate);
        suite.run("consume, seek, beginning, end, by timestamp", this::positions);
        suite.run("consume, out of range without a reset policy", this::outOfRange);
        suite.run("consume, no committed offset without a reset policy", this::noOffset);
        suite.run("consume, tiny fetch limits still make progress", this::tinyFetches);
        suite.run("consume, min bytes waits, and not longer than told", this::minBytes);
        suite.run("consume, 60 partitions in one fetch session", this::manyPartitions);
    }

    private static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static List<ProducerRecord<byte[], byte[]>> samples(String topic, int n) {
        byte[] binary = new byte[2048];
        for (int i = 0; i < binary.length; i++) {
            binary[i] = (byte) i;
        }
        byte[][][] kinds = {
            {utf8("나루"), utf8("강을 건너는 모든 배가 닿는 곳 — 한글 메시지")}, {binary, binary}, {{}, {}}, {null, null},
            {utf8("tombstone"), null}, {null, utf8("headers")}, {utf8("text"), utf8("compressible ".repeat(300))},
        };
        long base = System.currentTimeMillis();
        List<ProducerRecord<byte[], byte[]>> out = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            byte[][] kind = kinds[i % kinds.length];
            ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, 0, base + i, kind[0], kind[1]);
            if (i % kinds.length == 5) {
                r.headers().add("제목", utf8("머리글")).add("twice", utf8("1")).add("twice", utf8("2"))
                        .add("null", null).add("empty", new byte[0]).add("binary", binary);
            }
            out.add(r);
        }
        return out;
    }

    private void roundTrip(Object... settings) throws Exception {
        String topic = broker.topic(1);
        List<ProducerRecord<byte[], byte[]>> sent = samples(topic, 350);
        List<RecordMetadata> acks = broker.send(sent, settings);
        List<ConsumerRecord<byte[], byte[]>> got = broker.read(topic, sent.size(), 0);
        for (int i = 0; i < sent.size(); i++) {
            ProducerRecord<byte[], byte[]> s = sent.get(i);
            ConsumerRecord<byte[], byte[]> g = got.get(i);
            equal(g.offset(), acks.get(i).offset(), "offset of record " + i);
            equal(g.timestamp(), s.timestamp(), "timestamp of record " + i);
            equal(Arrays.equals(g.key(), s.key()) && (g.key() == null) == (s.key() == null), true, "key of record " + i);
            equal(Arrays.equals(g.value(), s.value()) && (g.value() == null) == (s.value() == null), true, "value of record " + i);
            equal(g.headers().toArray(), s.headers().toArray(), "headers of record " + i);
        }
    }

    private void acksNone() throws Exception {
        String topic = broker.topic(1);
        List<ProducerRecord<byte[], byte[]>> sent = samples(topic, 70);
        broker.send(sent, "acks", "0", "enable.idempotence", false);
        equal(broker.read(topic, 70, 0).size(), 70, "records");
    }

    private void idempotent() throws Exception {
        String topic = broker.topic(1);
        List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            sent.add(new ProducerRecord<>(topic, 0, null, utf8("" + i)));
        }
        broker.send(sent, "batch.size", 1000, "linger.ms", 0);
        long next = 0;
        for (ConsumerRecord<byte[], byte[]> r : broker.read(topic, 20_000, 0)) {
            equal(r.offset(), next, "offset");
            equal(new String(r.value()), "" + next++, "value");
        }
    }

    private static byte[] random(int size) {
        byte[] value = new byte[size];
        new Random(1).nextBytes(value);
        return value;
    }

    private void large() throws Exception {
        String topic = broker.topic(1);
        byte[] value = random((1 << 20) - 200);
        broker.send(List.of(new ProducerRecord<>(topic, value)), "max.request.size", 8 << 20);
        equal(Arrays.equals(broker.read(topic, 1, 0).get(0).value(), value), true, "same value");
    }

    private void tooLarge() throws Exception {
        String topic = broker.topic(1);
        fails(RecordTooLargeException.class,
                () -> broker.send(List.of(new ProducerRecord<>(topic, random((1 << 20) + 200))), "max.request.size", 8 << 20));
    }

    private void logAppendTime() throws Exception {
        String topic = broker.topic(1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        broker.fill(topic, 5, before - 3_600_000);
        for (ConsumerRecord<byte[], byte[]> r : broker.read(topic, 5, 0)) {
            equal(r.timestampType(), TimestampType.LOG_APPEND_TIME, "timestamp type");
            equal(r.timestamp() >= before && r.timestamp() <= System.currentTimeMillis(), true, "time of appending");
        }
    }

    private void autoCreate() throws Exception {
        String topic = Broker.unique("auto");
        broker.send(List.of(new ProducerRecord<>(topic, utf8("첫 소식"))));
        equal(new String(broker.read(topic, 1, 0).get(0).value(), StandardCharsets.UTF_8), "첫 소식", "value");
    }

    private void positions() throws Exception {
        String topic = broker.topic(1);
        long base = System.currentTimeMillis() - 100_000;
        broker.fill(topic, 100, base);
        TopicPartition p = new TopicPartition(topic, 0);
        equal(broker.read(topic, 43, 57).get(0).offset(), 57L, "from the middle");
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer()) {
            equal(c.beginningOffsets(Set.of(p)).get(p), 0L, "beginning");
            equal(c.endOffsets(Set.of(p)).get(p), 100L, "end");
            equal(c.offsetsForTimes(Map.of(p, base + 33)).get(p).offset(), 33L, "by time");
            equal(c.offsetsForTimes(Map.of(p, base + 33)).get(p).timestamp(), base + 33, "its time");
            equal(c.offsetsForTimes(Map.of(p, base + 5000)).get(p), null, "after all");
            c.assign(List.of(p));
            c.seekToEnd(List.of(p));
            equal(c.position(p), 100L, "position at the end"); // which is where it is now, and not at the next poll
            equal(c.poll(Duration.ofMillis(500)).count(), 0, "nothing new");
            broker.fill(topic, 1);
            equal(Broker.take(c, 1).get(0).offset(), 100L, "the next");
            equal(c.currentLag(p).getAsLong(), 0L, "lag");
            c.seekToBeginning(List.of(p));
            equal(c.position(p), 0L, "position");
        }
    }

    private void outOfRange() throws Exception {
        String topic = broker.topic(1);
        broker.fill(topic, 10);
        fails(OffsetOutOfRangeException.class, () -> broker.read(topic, 1, 500, "auto.offset.reset", "none"));
        equal(broker.read(topic, 10, 500).get(0).offset(), 0L, "reset to earliest");
    }

    private void noOffset() throws Exception {
        String topic = broker.topic(1);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", Broker.unique("g"), "auto.offset.reset", "none")) {
            c.assign(List.of(new TopicPartition(topic, 0)));
            fails(NoOffsetForPartitionException.class, () -> c.poll(Duration.ofSeconds(20)));
        }
    }

    private void tinyFetches() throws Exception {
        String topic = broker.topic(1);
        List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            sent.add(new ProducerRecord<>(topic, random(20_000)));
        }
        broker.send(sent, "batch.size", 0);
        equal(broker.read(topic, 20, 0, "fetch.max.bytes", 1000, "max.partition.fetch.bytes", 1000).size(), 20, "records");
    }

    private void minBytes() throws Exception {
        String topic = broker.topic(1);
        broker.fill(topic, 1);
        long start = System.nanoTime();
        broker.read(topic, 1, 0, "fetch.min.bytes", 1_000_000, "fetch.max.wait.ms", 1500);
        long took = (System.nanoTime() - start) / 1_000_000;
        equal(took >= 1200 && took < 20_000, true, "a wait of 1500 ms took " + took + " ms, which is right");
    }

    private void manyPartitions() throws Exception {
        int partitions = 60;
        String topic = broker.topic(partitions);
        List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
        for (int i = 0; i < 6000; i++) {
            sent.add(new ProducerRecord<>(topic, i % partitions, null, utf8("" + i / partitions)));
        }
        broker.send(sent);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("max.poll.records", 333)) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < partitions; i++) {
                all.add(new TopicPartition(topic, i));
            }
            c.assign(all);
            c.seekToBeginning(all);
            long[] next = new long[partitions];
            for (ConsumerRecord<byte[], byte[]> r : Broker.take(c, 6000)) {
                equal(r.offset(), next[r.partition()], "offset in partition " + r.partition());
                equal(new String(r.value()), "" + next[r.partition()]++, "value in partition " + r.partition());
            }
        }
    }
}
