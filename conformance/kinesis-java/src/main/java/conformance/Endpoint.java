package conformance;

import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.KinesisClientBuilder;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.KinesisException;
import software.amazon.awssdk.services.kinesis.model.PutRecordResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

/** The endpoint under test, clients of it, and small tools that the checks share. */
final class Endpoint implements AutoCloseable {
    static final String FIRST = "shardId-000000000000";

    private static int serial;

    final KinesisClient client = connect(b -> {});
    final KinesisAsyncClient async = KinesisAsyncClient.builder().overrideConfiguration(once()).build();

    private static ClientOverrideConfiguration once() {
        return ClientOverrideConfiguration.builder().retryStrategy(r -> r.maxAttempts(1)).build();
    }

    /** A client that does not try again. */
    KinesisClient connect(Consumer<KinesisClientBuilder> settings) {
        KinesisClientBuilder b = KinesisClient.builder().overrideConfiguration(once());
        settings.accept(b);
        return b.build();
    }

    KinesisClient connect(AwsCredentialsProvider keys) {
        return connect(b -> b.credentialsProvider(keys));
    }

    @Override
    public void close() {
        client.close();
        async.close();
    }

    static synchronized String unique(String what) {
        return "java-" + what + "-" + ProcessHandle.current().pid() + "-" + System.currentTimeMillis() + "-" + serial++;
    }

    String stream(int shards) throws Exception {
        String name = unique("s");
        client.createStream(r -> r.streamName(name).shardCount(shards));
        active(name);
        return name;
    }

    void active(String name) throws Exception {
        until(name + " is active", () -> client.describeStreamSummary(r -> r.streamName(name)).streamDescriptionSummary().streamStatus() == StreamStatus.ACTIVE);
    }

    String arn(String name) {
        return client.describeStreamSummary(r -> r.streamName(name)).streamDescriptionSummary().streamARN();
    }

    List<Shard> shards(String name) {
        return client.listShards(r -> r.streamName(name)).shards();
    }

    PutRecordResponse put(String name, String key, String data) {
        return client.putRecord(r -> r.streamName(name).partitionKey(key).data(SdkBytes.fromUtf8String(data)));
    }

    String iterator(String name, String shard, ShardIteratorType type) {
        return client.getShardIterator(r -> r.streamName(name).shardId(shard).shardIteratorType(type)).shardIterator();
    }

    /** Reads until n records came. */
    List<Record> records(String iterator, int n) throws Exception {
        List<Record> out = new ArrayList<>();
        long end = System.nanoTime() + 50_000_000_000L;
        while (out.size() < n && iterator != null) {
            String at = iterator;
            GetRecordsResponse answer = client.getRecords(r -> r.shardIterator(at));
            out.addAll(answer.records());
            iterator = answer.nextShardIterator();
            holds(System.nanoTime() < end, out.size() + " of " + n + " records after 50 s");
        }
        equal(out.size(), n, "records");
        return out;
    }

    static List<String> texts(List<Record> records) {
        return records.stream().map(r -> r.data().asUtf8String()).toList();
    }

    static void until(String what, Callable<Boolean> holds) throws Exception {
        long end = System.nanoTime() + 50_000_000_000L;
        while (!holds.call()) {
            holds(System.nanoTime() < end, "not within 50 s: " + what);
            Thread.sleep(50);
        }
    }

    /** The call must be refused with an exception of this class, which is its code too. */
    static String refused(Class<? extends KinesisException> want, String contains, Runnable call) {
        return refused(want, want.getSimpleName(), 400, contains, call);
    }

    static String refused(Class<? extends KinesisException> want, String code, int status, String contains, Runnable call) {
        try {
            call.run();
        } catch (RuntimeException caught) {
            Throwable e = caught instanceof CompletionException ? caught.getCause() : caught;
            holds(want.isInstance(e), e + " is not " + want.getSimpleName());
            KinesisException refusal = (KinesisException) e;
            equal(refusal.awsErrorDetails().errorCode(), code, "code");
            equal(refusal.statusCode(), status, "HTTP status");
            holds(refusal.requestId() != null, "there is no request id");
            String message = refusal.awsErrorDetails().errorMessage();
            holds(message.contains(contains), message + " does not say " + contains);
            return message;
        }
        throw new AssertionError("it was accepted, want " + code);
    }
}
