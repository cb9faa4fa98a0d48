package conformance;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The broker under test. */
final class Broker implements AutoCloseable {
    private static final AtomicInteger SERIAL = new AtomicInteger();

    final String bootstrap;
    final Admin admin;

    Broker(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", 20_000, "request.timeout.ms", 10_000));
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }

    static String unique(String what) {
        return "java-" + what + "-" + System.currentTimeMillis() + "-" + SERIAL.incrementAndGet();
    }

    String topic(int partitions, String... config) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (int i = 0; i < config.length; i += 2) {
            settings.put(config[i], config[i + 1]);
        }
        String name = unique("t");
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(settings))).all().get();
        // Kafka may answer before every partition has a leader; asking for offsets waits for that.
        Map<TopicPartition, OffsetSpec> all = new HashMap<>();
        for (int i = 0; i < partitions; i++) {
            all.put(new TopicPartition(name, i), OffsetSpec.latest());
        }
        admin.listOffsets(all).all().get();
        return name;
    }

    /** Settings come in pairs: name, value. */
    KafkaProducer<byte[], byte[]> producer(Object... settings) {
        return new KafkaProducer<>(conf(Map.of("max.block.ms", 20_000, "linger.ms", 5), settings),
                new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<byte[], byte[]> consumer(Object... settings) {
        return new KafkaConsumer<>(conf(Map.of("auto.offset.reset", "earliest", "enable.auto.commit", false), settings),
                new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private Map<String, Object> conf(Map<String, Object> base, Object... settings) {
        Map<String, Object> conf = new HashMap<>(base);
        conf.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < settings.length; i += 2) {
            conf.put((String) settings[i], settings[i + 1]);
        }
        return conf;
    }

    List<RecordMetadata> send(List<ProducerRecord<byte[], byte[]>> records, Object... settings) throws Exception {
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        List<RecordMetadata> out = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(settings)) {
            for (ProducerRecord<byte[], byte[]> r : records) {
                futures.add(producer.send(r));
            }
            producer.flush();
            for (Future<RecordMetadata> f : futures) {
                out.add(f.get());
            }
        }
        return out;
    }

    /** Values 0, 1, … to partition 0, a millisecond apart. */
    void fill(String topic, int n, long base) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            records.add(new ProducerRecord<>(topic, 0, base + i, null, Integer.toString(i).getBytes()));
        }
        send(records);
    }

    void fill(String topic, int n) throws Exception {
        fill(topic, n, System.currentTimeMillis());
    }

    /** Reads n records of partition 0 from an offset. */
    List<ConsumerRecord<byte[], byte[]>> read(String topic, int n, long from, Object... settings) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(settings)) {
            TopicPartition p = new TopicPartition(topic, 0);
            consumer.assign(List.of(p));
            consumer.seek(p, from);
            return take(consumer, n);
        }
    }

    /** Reads exactly n records or fails. */
    static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> consumer, int n) {
        List<ConsumerRecord<byte[], byte[]>> out = new ArrayList<>();
        long end = System.nanoTime() + 30_000_000_000L;
        while (out.size() < n) {
            consumer.poll(Duration.ofMillis(200)).forEach(out::add);
            if (System.nanoTime() > end) {
                throw new AssertionError(out.size() + " of " + n + " records after 30 s");
            }
        }
        Suite.equal(out.size(), n, "number of records");
        return out;
    }
}
