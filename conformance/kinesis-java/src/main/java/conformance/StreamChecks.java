package conformance;

import static conformance.Endpoint.FIRST;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.unique;
import static conformance.Endpoint.until;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.KinesisException;
import software.amazon.awssdk.services.kinesis.model.ListShardsResponse;
import software.amazon.awssdk.services.kinesis.model.ResourceInUseException;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.ScalingType;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamDescription;
import software.amazon.awssdk.services.kinesis.model.StreamMode;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;
import software.amazon.awssdk.services.kinesis.model.Tag;

/** Streams and their shards. */
final class StreamChecks {
    private final Suite suite;
    private final Endpoint kinesis;

    StreamChecks(Suite suite, Endpoint kinesis) {
        this.suite = suite;
        this.kinesis = kinesis;
    }

    void run() {
        suite.run("stream: create, describe, delete", this::lifecycle);
        suite.run("stream: list and find", this::listing);
        suite.run("stream: tags, retention, mode", this::settings);
        suite.run("stream: shards in pages", this::pages);
        suite.run("stream: refusals", this::refusals);
        suite.run("stream: split and merge", this::reshard);
        suite.run("stream: a new count of shards", this::count);
        suite.run("stream: the asynchronous client and its waiters", this::async);
    }

    private void lifecycle() throws Exception {
        Instant before = Instant.now().minus(Duration.ofMinutes(1));
        String name = kinesis.stream(2);
        StreamDescription d = kinesis.client.describeStream(r -> r.streamName(name)).streamDescription();
        equal(List.of(d.streamName(), d.streamStatus(), d.hasMoreShards(), d.retentionPeriodHours()), List.of(name, StreamStatus.ACTIVE, false, 24), "description");
        equal(d.shards().stream().map(Shard::shardId).toList(), List.of(FIRST, "shardId-000000000001"), "shards");
        holds(d.streamCreationTimestamp().isAfter(before) && d.streamCreationTimestamp().isBefore(Instant.now().plusSeconds(60)),
                "created at " + d.streamCreationTimestamp());
        equal(kinesis.client.describeStreamSummary(r -> r.streamARN(d.streamARN())).streamDescriptionSummary().openShardCount(), 2, "open shards");
        kinesis.client.deleteStream(r -> r.streamName(name));
        until("the stream is gone", () -> {
            try {
                equal(kinesis.client.describeStream(r -> r.streamName(name)).streamDescription().streamStatus(), StreamStatus.DELETING, "status");
                return false;
            } catch (ResourceNotFoundException e) {
                return true;
            }
        });
    }

    private void listing() throws Exception {
        List<String> names = List.of(kinesis.stream(1), kinesis.stream(1), kinesis.stream(1));
        List<String> got = kinesis.client.listStreamsPaginator(r -> r.limit(2)).streamNames().stream().filter(names::contains).sorted().toList();
        equal(got, names.stream().sorted().toList(), "names");
    }

    private void settings() throws Exception {
        String name = kinesis.stream(1);
        kinesis.client.addTagsToStream(r -> r.streamName(name).tags(Map.of("이름", "나루")));
        equal(kinesis.client.listTagsForStream(r -> r.streamName(name)).tags(), List.of(Tag.builder().key("이름").value("나루").build()), "tags");
        kinesis.client.increaseStreamRetentionPeriod(r -> r.streamName(name).retentionPeriodHours(48));
        kinesis.active(name);
        equal(kinesis.client.describeStream(r -> r.streamName(name)).streamDescription().retentionPeriodHours(), 48, "retention");
        String arn = kinesis.arn(name);
        kinesis.client.updateStreamMode(r -> r.streamARN(arn).streamModeDetails(m -> m.streamMode(StreamMode.ON_DEMAND)));
        kinesis.active(name);
        equal(kinesis.client.describeStreamSummary(r -> r.streamName(name)).streamDescriptionSummary().streamModeDetails().streamMode(), StreamMode.ON_DEMAND, "mode");
    }

    private void pages() throws Exception {
        String name = kinesis.stream(3);
        ListShardsResponse one = kinesis.client.listShards(r -> r.streamName(name).maxResults(2));
        ListShardsResponse two = kinesis.client.listShards(r -> r.nextToken(one.nextToken()));
        equal(List.of(one.shards().size(), two.shards().size()), List.of(2, 1), "shards in each page");
        equal(two.nextToken(), null, "the last token");
    }

    private void refusals() throws Exception {
        String none = unique("none"), name = kinesis.stream(1);
        refused(ResourceNotFoundException.class, "Stream " + none + " under account ", () -> kinesis.client.describeStream(r -> r.streamName(none)));
        refused(ResourceInUseException.class, "Stream " + name + " under account ", () -> kinesis.client.createStream(r -> r.streamName(name).shardCount(1)));
        String message = refused(KinesisException.class, "ValidationException", 400, "at 'partitionKey'", () -> kinesis.put(name, "k".repeat(257), "x"));
        equal(message, "1 validation error detected: Value '" + "k".repeat(257)
                + "' at 'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256", "message");
    }

    private void split(String name, String shard) throws Exception {
        Shard parent = kinesis.shards(name).stream().filter(s -> s.shardId().equals(shard)).findFirst().orElseThrow();
        BigInteger start = new BigInteger(parent.hashKeyRange().startingHashKey()), end = new BigInteger(parent.hashKeyRange().endingHashKey());
        String middle = start.add(end).shiftRight(1).toString();
        kinesis.client.splitShard(r -> r.streamName(name).shardToSplit(shard).newStartingHashKey(middle));
        kinesis.active(name);
    }

    private void reshard() throws Exception {
        String name = kinesis.stream(1);
        Instant before = Instant.now();
        kinesis.put(name, "k", "0");
        Thread.sleep(1100);
        split(name, FIRST);
        List<Shard> shards = kinesis.shards(name);
        equal(shards.stream().map(Shard::parentShardId).toList(), java.util.Arrays.asList(null, FIRST, FIRST), "parents");
        GetRecordsResponse last = kinesis.client.getRecords(r -> r.shardIterator(kinesis.iterator(name, FIRST, ShardIteratorType.TRIM_HORIZON)));
        equal(Endpoint.texts(last.records()), List.of("0"), "records of the parent");
        if (last.nextShardIterator() != null) {
            String next = last.nextShardIterator();
            last = kinesis.client.getRecords(r -> r.shardIterator(next));
        }
        equal(last.nextShardIterator(), null, "what comes after the end");
        equal(last.childShards().stream().map(c -> c.shardId() + " of " + c.parentShards()).sorted().toList(),
                List.of("shardId-000000000001 of [" + FIRST + "]", "shardId-000000000002 of [" + FIRST + "]"), "children");
        kinesis.client.mergeShards(r -> r.streamName(name).shardToMerge("shardId-000000000001").adjacentShardToMerge("shardId-000000000002"));
        kinesis.active(name);
        Shard merged = kinesis.shards(name).get(3);
        equal(List.of(merged.parentShardId(), merged.adjacentParentShardId()), List.of("shardId-000000000001", "shardId-000000000002"), "parents");
        equal(kinesis.client.listShards(r -> r.streamName(name).shardFilter(f -> f.type(ShardFilterType.AT_TIMESTAMP).timestamp(before.plusMillis(500)))).shards()
                .stream().map(Shard::shardId).toList(), List.of(FIRST), "shards at a time");
    }

    private void count() throws Exception {
        String name = kinesis.stream(2);
        kinesis.client.updateShardCount(r -> r.streamName(name).targetShardCount(4).scalingType(ScalingType.UNIFORM_SCALING));
        kinesis.active(name);
        equal(kinesis.client.describeStreamSummary(r -> r.streamName(name)).streamDescriptionSummary().openShardCount(), 4, "open shards");
    }

    private void async() throws Exception {
        String name = unique("a");
        kinesis.async.createStream(r -> r.streamName(name).shardCount(1)).join();
        try (var waiter = kinesis.async.waiter()) {
            waiter.waitUntilStreamExists(r -> r.streamName(name), o -> o.backoffStrategyV2(a -> Duration.ofMillis(100)).maxAttempts(100)).join();
            refused(ResourceInUseException.class, name, () -> kinesis.async.createStream(r -> r.streamName(name).shardCount(1)).join());
            kinesis.async.deleteStream(r -> r.streamName(name)).join();
            waiter.waitUntilStreamNotExists(r -> r.streamName(name), o -> o.backoffStrategyV2(a -> Duration.ofMillis(100)).maxAttempts(100)).join();
        }
    }
}
