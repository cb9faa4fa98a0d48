package conformance;

import static conformance.Endpoint.FIRST;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.texts;
import static conformance.Endpoint.unique;
import static conformance.Endpoint.until;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.async.SdkPublisher;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ResourceInUseException;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StartingPosition;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEventStream;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;

/** SubscribeToShard, over HTTP/2. */
final class ConsumerChecks {
    private final Suite suite;
    private final Endpoint kinesis;

    ConsumerChecks(Suite suite, Endpoint kinesis) {
        this.suite = suite;
        this.kinesis = kinesis;
    }

    void run() {
        suite.run("consumer: records that are there, and those that come", this::live);
        suite.run("consumer: goes on where it ended", this::continued);
        suite.run("consumer: a shard's end", this::shardEnd);
        suite.run("consumer: 16 MiB", this::large);
        suite.run("consumer: several shards over one connection", this::several);
        suite.run("consumer: refusals", this::refusals);
    }

    private String register(String name) throws Exception {
        String arn = kinesis.arn(name), consumer = unique("c");
        String got = kinesis.client.registerStreamConsumer(r -> r.streamARN(arn).consumerName(consumer)).consumer().consumerARN();
        until("the consumer is active", () -> kinesis.client.describeStreamConsumer(r -> r.consumerARN(got)).consumerDescription().consumerStatus() == ConsumerStatus.ACTIVE);
        return got;
    }

    /** A subscription that collects events until it is told that these are enough, or the stream ends. */
    private static final class Reader {
        final List<SubscribeToShardEvent> events = new ArrayList<>();
        private final Predicate<Reader> enough;
        private Subscription subscription;
        CompletableFuture<Void> ended;
        final CompletableFuture<Void> began = new CompletableFuture<>();
        private final CompletableFuture<Void> done = new CompletableFuture<>();

        Reader(Predicate<Reader> enough) {
            this.enough = enough;
        }

        synchronized List<Record> records() {
            return events.stream().flatMap(e -> e.records().stream()).toList();
        }

        SubscribeToShardEvent last() {
            return events.get(events.size() - 1);
        }

        SubscribeToShardResponseHandler handler() {
            return SubscribeToShardResponseHandler.builder().onResponse(r -> began.complete(null)).onEventStream(this::subscribe)
                    .onError(e -> done.completeExceptionally(e)).onComplete(() -> done.complete(null)).build();
        }

        private void subscribe(SdkPublisher<SubscribeToShardEventStream> publisher) {
            publisher.filter(SubscribeToShardEvent.class).subscribe(new org.reactivestreams.Subscriber<>() {
                @Override
                public void onSubscribe(Subscription s) {
                    subscription = s;
                    s.request(Long.MAX_VALUE);
                }

                @Override
                public void onNext(SubscribeToShardEvent e) {
                    synchronized (Reader.this) {
                        events.add(e);
                    }
                    if (enough.test(Reader.this)) {
                        done.complete(null);
                        subscription.cancel();
                    }
                }

                @Override
                public void onError(Throwable e) {
                    done.completeExceptionally(e);
                }

                @Override
                public void onComplete() {
                    done.complete(null);
                }
            });
        }

        Reader await() throws Exception {
            done.get(50, TimeUnit.SECONDS);
            return this;
        }
    }

    private Reader subscribe(String consumer, String shard, Predicate<Reader> enough, Consumer<StartingPosition.Builder> position) {
        Reader reader = new Reader(enough);
        reader.ended = kinesis.async.subscribeToShard(r -> r.consumerARN(consumer).shardId(shard).startingPosition(position), reader.handler());
        reader.ended.whenComplete((v, e) -> {
            if (e != null) {
                reader.done.completeExceptionally(e);
            }
        });
        return reader;
    }

    /** Tries again while the subscription before has not ended yet. */
    private static Reader afterwards(Supplier<Reader> subscribe) throws Exception {
        while (true) {
            try {
                return subscribe.get().await();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof ResourceInUseException || e.getCause().getCause() instanceof ResourceInUseException)) {
                    throw e;
                }
                Thread.sleep(100);
            }
        }
    }

    private static Consumer<StartingPosition.Builder> from(ShardIteratorType type) {
        return p -> p.type(type);
    }

    private void live() throws Exception {
        String name = kinesis.stream(1), consumer = register(name);
        kinesis.put(name, "k", "0");
        Reader reader = subscribe(consumer, FIRST, r -> r.records().size() >= 3, from(ShardIteratorType.TRIM_HORIZON));
        until("the first record", () -> reader.records().size() == 1);
        kinesis.put(name, "k", "1");
        String last = kinesis.put(name, "k", "나루").sequenceNumber();
        reader.await();
        equal(texts(reader.records()), List.of("0", "1", "나루"), "records");
        holds(reader.last().continuationSequenceNumber().compareTo(last) >= 0, "it goes on before its last record");
        equal(reader.last().millisBehindLatest(), 0L, "behind");
    }

    private void continued() throws Exception {
        String name = kinesis.stream(1), consumer = register(name);
        kinesis.put(name, "k", "0");
        Reader one = subscribe(consumer, FIRST, r -> !r.records().isEmpty(), from(ShardIteratorType.TRIM_HORIZON)).await();
        kinesis.put(name, "k", "1");
        Reader two = afterwards(() -> subscribe(consumer, FIRST, r -> !r.records().isEmpty(),
                p -> p.type(ShardIteratorType.AFTER_SEQUENCE_NUMBER).sequenceNumber(one.last().continuationSequenceNumber())));
        equal(texts(two.records()), List.of("1"), "records");
    }

    private void shardEnd() throws Exception {
        String name = kinesis.stream(1), consumer = register(name);
        kinesis.put(name, "k", "0");
        Reader reader = subscribe(consumer, FIRST, r -> false, from(ShardIteratorType.TRIM_HORIZON));
        until("the first record", () -> reader.records().size() == 1);
        kinesis.client.splitShard(r -> r.streamName(name).shardToSplit(FIRST).newStartingHashKey("1000000"));
        reader.await();
        equal(reader.last().childShards().stream().map(c -> c.shardId()).sorted().toList(), List.of("shardId-000000000001", "shardId-000000000002"), "children");
        equal(reader.last().continuationSequenceNumber(), null, "where it goes on");
    }

    private void large() throws Exception {
        String name = kinesis.stream(1), consumer = register(name);
        byte[] mib = new byte[(1 << 20) - 1];
        for (int i = 0; i < 16; i++) {
            mib[0] = (byte) i;
            kinesis.client.putRecord(r -> r.streamName(name).partitionKey("k").data(SdkBytes.fromByteArray(mib)));
        }
        Reader reader = subscribe(consumer, FIRST, r -> r.records().size() >= 16, from(ShardIteratorType.TRIM_HORIZON)).await();
        for (int i = 0; i < 16; i++) {
            byte[] got = reader.records().get(i).data().asByteArray();
            holds(got.length == mib.length && got[0] == i, "record " + i);
        }
    }

    private void several() throws Exception {
        String name = kinesis.stream(4), consumer = register(name);
        List<Reader> readers = kinesis.shards(name).stream()
                .map(s -> subscribe(consumer, s.shardId(), r -> r.records().size() >= 5, from(ShardIteratorType.TRIM_HORIZON))).toList();
        for (var shard : kinesis.shards(name)) {
            for (int i = 0; i < 5; i++) {
                String data = shard.shardId() + i;
                kinesis.client.putRecord(r -> r.streamName(name).partitionKey("k").explicitHashKey(shard.hashKeyRange().startingHashKey())
                        .data(SdkBytes.fromUtf8String(data)));
            }
        }
        for (int n = 0; n < 4; n++) {
            String shard = kinesis.shards(name).get(n).shardId();
            equal(texts(readers.get(n).await().records()), List.of(shard + 0, shard + 1, shard + 2, shard + 3, shard + 4), "records of " + shard);
        }
    }

    private void refusals() throws Exception {
        String name = kinesis.stream(1), consumer = register(name);
        refused(ResourceNotFoundException.class, "", () -> subscribe(consumer, "shardId-000000000009", r -> false, from(ShardIteratorType.LATEST)).ended.join());
    }
}
