package conformance;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/** Produces real text and prints, for each partition, a hash over its records. */
final class Corpus {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final Pattern FIELD = Pattern.compile("(?m)^(Package|Section): (.*)$");

    private Corpus() {}

    /** One partition's hash, over timestamp, key, value and headers; the Go program's digest says how. */
    private static final class Sum {
        final MessageDigest digest;
        int count;

        Sum() throws Exception {
            digest = MessageDigest.getInstance("SHA-256");
        }

        void add(long timestamp, byte[] key, byte[] value, Headers headers) {
            digest.update(ByteBuffer.allocate(8).putLong(0, timestamp));
            add(key);
            add(value);
            Header[] all = headers.toArray();
            size(all.length);
            for (Header h : all) {
                add(h.key().getBytes(StandardCharsets.UTF_8));
                add(h.value());
            }
            count++;
        }

        private void size(int n) {
            digest.update(ByteBuffer.allocate(4).putInt(0, n));
        }

        private void add(byte[] b) {
            size(b == null ? -1 : b.length);
            if (b != null) {
                digest.update(b);
            }
        }

        void print(int partition) {
            System.out.println("digest\t" + partition + "\t" + count + "\t" + HexFormat.of().formatHex(digest.digest()));
        }
    }

    /** Stanza i of the file goes to partition i mod 5, which is written with the codec of its number. */
    static void produce(Map<String, String> o) throws Exception {
        String text = Files.readString(Path.of(o.get("file")), StandardCharsets.UTF_8);
        List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
        List<Sum> sums = new ArrayList<>();
        Exception[] failure = new Exception[1];
        try (Broker broker = new Broker(o.get("bootstrap"))) {
            broker.admin.createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic(o.get("topic"), CODECS.size(), (short) 1))).all().get();
            for (String codec : CODECS) {
                producers.add(broker.producer("compression.type", codec, "batch.size", 200_000, "linger.ms", 20));
                sums.add(new Sum());
            }
            long time = System.currentTimeMillis() - 1_000_000;
            int n = 0;
            for (String stanza : text.split("\n\n+")) {
                int p = n % CODECS.size();
                ProducerRecord<byte[], byte[]> r = record(o.get("topic"), p, time + n++, stanza);
                sums.get(p).add(r.timestamp(), r.key(), r.value(), r.headers());
                producers.get(p).send(r, (m, e) -> {
                    if (e != null) {
                        failure[0] = e;
                    }
                });
            }
        } finally {
            producers.forEach(KafkaProducer::close);
        }
        if (failure[0] != null) {
            throw failure[0];
        }
        for (int p = 0; p < sums.size(); p++) {
            sums.get(p).print(p);
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, String stanza) {
        byte[] key = null;
        String section = null;
        Matcher m = FIELD.matcher(stanza);
        while (m.find()) {
            if (m.group(1).equals("Package") && key == null) {
                key = m.group(2).getBytes(StandardCharsets.UTF_8);
            } else if (m.group(1).equals("Section")) {
                section = m.group(2);
            }
        }
        ProducerRecord<byte[], byte[]> r =
                new ProducerRecord<>(topic, partition, time, key, stanza.getBytes(StandardCharsets.UTF_8));
        if (section != null) {
            r.headers().add("section", section.getBytes(StandardCharsets.UTF_8));
        }
        return r;
    }

    static void digest(Map<String, String> o) throws Exception {
        try (Broker broker = new Broker(o.get("bootstrap")); KafkaConsumer<byte[], byte[]> c = broker.consumer()) {
            List<TopicPartition> all = new ArrayList<>();
            c.partitionsFor(o.get("topic")).forEach(p -> all.add(new TopicPartition(o.get("topic"), p.partition())));
            List<Sum> sums = new ArrayList<>();
            for (int i = 0; i < all.size(); i++) {
                sums.add(new Sum());
            }
            Map<TopicPartition, Long> ends = c.endOffsets(all);
            c.assign(all);
            c.seekToBeginning(all);
            while (all.stream().anyMatch(p -> c.position(p) < ends.get(p))) {
                for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofSeconds(1))) {
                    sums.get(r.partition()).add(r.timestamp(), r.key(), r.value(), r.headers());
                }
            }
            for (int p = 0; p < sums.size(); p++) {
                sums.get(p).print(p);
            }
        }
    }
}
