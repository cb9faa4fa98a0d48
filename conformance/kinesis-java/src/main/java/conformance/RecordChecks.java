package conformance;

import static conformance.Endpoint.FIRST;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.texts;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.math.BigInteger;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.InvalidArgumentException;
import software.amazon.awssdk.services.kinesis.model.PutRecordResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;

/** Records. */
final class RecordChecks {
    private final Suite suite;
    private final Endpoint kinesis;

    RecordChecks(Suite suite, Endpoint kinesis) {
        this.suite = suite;
        this.kinesis = kinesis;
    }

    void run() {
        suite.run("record: put and get every byte", this::bytes);
        suite.run("record: hash keys", this::keys);
        suite.run("record: 500 in one request", this::batch);
        suite.run("record: iterators", this::iterators);
        suite.run("record: sizes", this::sizes);
        suite.run("record: many calls at once, over one connection", this::concurrent);
        suite.run("record: refusals", this::refusals);
    }

    private void bytes() throws Exception {
        String name = kinesis.stream(1);
        byte[] every = new byte[256];
        for (int i = 0; i < 256; i++) {
            every[i] = (byte) i;
        }
        Instant before = Instant.now().minus(Duration.ofMinutes(1));
        PutRecordResponse put = kinesis.client.putRecord(r -> r.streamName(name).partitionKey("주문 🛶").data(SdkBytes.fromByteArray(every)));
        equal(put.shardId(), FIRST, "shard");
        Record got = kinesis.records(kinesis.iterator(name, FIRST, ShardIteratorType.TRIM_HORIZON), 1).get(0);
        equal(got.data().asByteArray(), every, "data");
        equal(List.of(got.partitionKey(), got.sequenceNumber()), List.of("주문 🛶", put.sequenceNumber()), "record");
        Instant at = got.approximateArrivalTimestamp();
        holds(at.isAfter(before) && at.isBefore(Instant.now().plusSeconds(60)), "arrived at " + at);
    }

    private void keys() throws Exception {
        String name = kinesis.stream(3);
        List<Shard> shards = kinesis.shards(name);
        for (int i = 0; i < 30; i++) {
            String key = "열쇠 " + i;
            BigInteger hash = new BigInteger(1, MessageDigest.getInstance("MD5").digest(key.getBytes("UTF-8")));
            String want = shards.stream().filter(s -> hash.compareTo(new BigInteger(s.hashKeyRange().startingHashKey())) >= 0
                    && hash.compareTo(new BigInteger(s.hashKeyRange().endingHashKey())) <= 0).findFirst().orElseThrow().shardId();
            equal(kinesis.put(name, key, "x").shardId(), want, "shard of " + key);
        }
        for (Shard s : shards) {
            equal(kinesis.client.putRecord(r -> r.streamName(name).partitionKey("k").explicitHashKey(s.hashKeyRange().endingHashKey()).data(SdkBytes.fromUtf8String("x")))
                    .shardId(), s.shardId(), "shard");
        }
    }

    private void batch() throws Exception {
        String name = kinesis.stream(1);
        List<PutRecordsRequestEntry> entries = IntStream.range(0, 500)
                .mapToObj(i -> PutRecordsRequestEntry.builder().partitionKey("k" + i).data(SdkBytes.fromUtf8String("" + i)).build()).toList();
        PutRecordsResponse answer = kinesis.client.putRecords(r -> r.streamName(name).records(entries));
        equal(answer.failedRecordCount(), 0, "failed records");
        List<Record> got = kinesis.records(kinesis.iterator(name, FIRST, ShardIteratorType.TRIM_HORIZON), 500);
        equal(texts(got), IntStream.range(0, 500).mapToObj(i -> "" + i).toList(), "records");
        equal(got.stream().map(Record::sequenceNumber).toList(), answer.records().stream().map(r -> r.sequenceNumber()).toList(), "sequence numbers");
    }

    private void iterators() throws Exception {
        String name = kinesis.stream(1);
        kinesis.put(name, "k", "0");
        Thread.sleep(1100);
        Instant middle = Instant.now();
        String latest = kinesis.iterator(name, FIRST, ShardIteratorType.LATEST);
        PutRecordResponse one = kinesis.put(name, "k", "1");
        kinesis.put(name, "k", "2");
        equal(texts(kinesis.records(latest, 2)), List.of("1", "2"), "LATEST");
        String at = kinesis.client.getShardIterator(r -> r.streamName(name).shardId(FIRST).shardIteratorType(ShardIteratorType.AT_SEQUENCE_NUMBER)
                .startingSequenceNumber(one.sequenceNumber())).shardIterator();
        equal(texts(kinesis.records(at, 2)), List.of("1", "2"), "AT_SEQUENCE_NUMBER");
        String after = kinesis.client.getShardIterator(r -> r.streamName(name).shardId(FIRST).shardIteratorType(ShardIteratorType.AFTER_SEQUENCE_NUMBER)
                .startingSequenceNumber(one.sequenceNumber())).shardIterator();
        equal(texts(kinesis.records(after, 1)), List.of("2"), "AFTER_SEQUENCE_NUMBER");
        String time = kinesis.client.getShardIterator(r -> r.streamName(name).shardId(FIRST).shardIteratorType(ShardIteratorType.AT_TIMESTAMP).timestamp(middle)).shardIterator();
        GetRecordsResponse answer = kinesis.client.getRecords(r -> r.shardIterator(time).limit(1));
        equal(texts(answer.records()), List.of("1"), "AT_TIMESTAMP");
        holds(answer.millisBehindLatest() >= 0, "behind by " + answer.millisBehindLatest());
    }

    private void sizes() throws Exception {
        String name = kinesis.stream(1);
        for (int size : new int[] {0, 1, 23, 24, 255, 256, 65535, 65536, (1 << 20) - 1}) {
            kinesis.put(name, "k", "x".repeat(size));
        }
        List<Record> got = kinesis.records(kinesis.iterator(name, FIRST, ShardIteratorType.TRIM_HORIZON), 9);
        equal(got.stream().map(r -> r.data().asByteArray().length).toList(), List.of(0, 1, 23, 24, 255, 256, 65535, 65536, (1 << 20) - 1), "sizes");
    }

    private void concurrent() throws Exception {
        String name = kinesis.stream(1);
        List<CompletableFuture<PutRecordResponse>> calls = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            String data = "" + i;
            calls.add(kinesis.async.putRecord(r -> r.streamName(name).partitionKey("k").data(SdkBytes.fromUtf8String(data))));
            if (calls.size() % 40 == 0) {
                CompletableFuture.allOf(calls.toArray(CompletableFuture[]::new)).join();
            }
        }
        CompletableFuture.allOf(calls.toArray(CompletableFuture[]::new)).join();
        List<Record> got = kinesis.records(kinesis.iterator(name, FIRST, ShardIteratorType.TRIM_HORIZON), 300);
        equal(texts(got).stream().map(Integer::valueOf).sorted().toList(), IntStream.range(0, 300).boxed().toList(), "records");
    }

    private void refusals() throws Exception {
        String name = kinesis.stream(1);
        refused(InvalidArgumentException.class, "", () -> kinesis.client.getRecords(r -> r.shardIterator("none")));
        refused(InvalidArgumentException.class, "", () -> kinesis.client.putRecord(
                r -> r.streamName(name).partitionKey("k").explicitHashKey(BigInteger.ONE.shiftLeft(128).toString()).data(SdkBytes.fromUtf8String("x"))));
    }
}
