package conformance;

import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;

/** A group member and a producer for the rebalance judge; package events describes their lines. */
final class Load {
    private static final FileOutputStream OUT = new FileOutputStream(FileDescriptor.out);

    private Load() {}

    /** Writes one line at once: a killed process must not hold lines back. */
    private static synchronized void emit(String word, Object... fields) {
        Instant now = Instant.now();
        StringBuilder line = new StringBuilder(word).append('\t').append(now.getEpochSecond() * 1_000_000_000L + now.getNano());
        for (Object f : fields) {
            line.append('\t').append(f);
        }
        try {
            OUT.write(line.append('\n').toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static void member(Map<String, String> o) throws Exception {
        Broker broker = new Broker(o.get("bootstrap"));
        Class<?> assignor = o.get("assignor").equals("range") ? RangeAssignor.class : CooperativeStickyAssignor.class;
        KafkaConsumer<byte[], byte[]> consumer = broker.consumer("group.id", o.get("group"), "client.id", o.get("id"),
                "session.timeout.ms", 6000, "heartbeat.interval.ms", 500, "max.poll.records", 200,
                "partition.assignment.strategy", assignor.getName());
        Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                closed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            Runtime.getRuntime().halt(0); // the signal's own exit status would be 143
        }));
        consumer.subscribe(List.of(o.get("topic")), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                partitions.forEach(p -> emit("assign", p.partition()));
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                partitions.forEach(p -> emit("revoke", p.partition()));
                uncommitted.keySet().removeAll(partitions);
            }
        });
        try {
            while (true) {
                readAndCommit(consumer, uncommitted);
            }
        } catch (WakeupException e) {
            consumer.close();
        } catch (RuntimeException e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        } finally {
            closed.countDown();
        }
    }

    /** Reads once and commits. What a rebalance kept from being committed is committed after the next poll. */
    private static void readAndCommit(
            KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, OffsetAndMetadata> uncommitted) {
        for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(100))) {
            emit("poll", r.partition(), r.offset(), new String(r.value(), StandardCharsets.UTF_8));
            uncommitted.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        if (uncommitted.isEmpty()) {
            return;
        }
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>(uncommitted);
        try {
            consumer.commitSync(next);
        } catch (WakeupException e) {
            throw e;
        } catch (RebalanceInProgressException e) {
            return;
        } catch (KafkaException e) {
            emit("note", "commit: " + e.toString().replace('\t', ' ').replace('\n', ' '));
            uncommitted.clear();
            return;
        }
        uncommitted.clear();
        next.forEach((p, offset) -> emit("commit", p.partition(), offset.offset()));
    }

    static void producer(Map<String, String> o) throws Exception {
        int records = Integer.parseInt(o.get("records"));
        int partitions = Integer.parseInt(o.get("partitions"));
        long gap = 1_000_000_000L / Integer.parseInt(o.get("rate"));
        Broker broker = new Broker(o.get("bootstrap"));
        try (broker; KafkaProducer<byte[], byte[]> producer = broker.producer("client.id", o.get("id"))) {
            long start = System.nanoTime();
            for (int i = 0; i < records; i++) {
                long wait = start + i * gap - System.nanoTime();
                if (wait > 0) {
                    Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
                }
                int p = i % partitions;
                String value = o.get("id") + ":" + i;
                emit("send", p, value);
                producer.send(new ProducerRecord<>(o.get("topic"), p, null, value.getBytes(StandardCharsets.UTF_8)), (m, e) -> {
                    if (e != null) {
                        emit("fail", p, value, e);
                    } else {
                        emit("ack", m.partition(), m.offset(), value);
                    }
                });
            }
        }
    }
}
