package conformance;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.LifecycleConfig;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of an application, until SIGTERM. It prints a line for each thing that happens, with the milliseconds since
 * the epoch: {@code TIME begin SHARD}, {@code TIME record SHARD KEY DATA}, {@code TIME lost SHARD}, {@code TIME end SHARD}.
 *
 * <p>Worker APPLICATION STREAM ID polling|fanout
 */
public final class Worker {
    public static void main(String[] args) throws Exception {
        String application = args[0], stream = args[1], id = args[2];
        boolean fanOut = args[3].equals("fanout");
        // The library wants HTTP/2, which emulators of Kinesis do not speak without TLS.
        KinesisAsyncClient kinesis = Boolean.getBoolean("http1")
                ? KinesisAsyncClient.builder().httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1)).build()
                : KinesisClientUtil.createKinesisAsyncClient(KinesisAsyncClient.builder());
        ConfigsBuilder all = new ConfigsBuilder(
                new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
                application, kinesis, DynamoDbAsyncClient.create(), CloudWatchAsyncClient.create(), id, Processor::new);
        Scheduler scheduler = new Scheduler(all.checkpointConfig(), coordinator(all), leases(all), lifecycle(all),
                all.metricsConfig().metricsFactory(new NullMetricsFactory()), all.processorConfig(), retrieval(all, kinesis, stream, application, fanOut));
        Thread thread = new Thread(scheduler);
        thread.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                scheduler.startGracefulShutdown().get(20, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        say("started " + id);
        thread.join();
    }

    /** Waits are short, so that a scene is. */
    private static CoordinatorConfig coordinator(ConfigsBuilder all) {
        return all.coordinatorConfig().parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(200)
                .schedulerInitializationBackoffTimeMillis(200).skipShardSyncAtWorkerInitializationIfLeasesExist(false);
    }

    private static LeaseManagementConfig leases(ConfigsBuilder all) {
        LeaseManagementConfig c = all.leaseManagementConfig().failoverTimeMillis(4000).shardSyncIntervalMillis(2000).maxLeasesToStealAtOneTime(2)
                .leasesRecoveryAuditorExecutionFrequencyMillis(3000).listShardsBackoffTimeInMillis(200);
        // A worker that has not reported for twice this time gets no lease: less is too short for a busy machine.
        c.workerUtilizationAwareAssignmentConfig().disableWorkerMetrics(true).workerMetricsReporterFreqInMillis(5000)
                .varianceBalancingFrequency(1).dampeningPercentage(100);
        return c;
    }

    private static LifecycleConfig lifecycle(ConfigsBuilder all) {
        return all.lifecycleConfig().taskBackoffTimeMillis(200);
    }

    private static RetrievalConfig retrieval(ConfigsBuilder all, KinesisAsyncClient kinesis, String stream, String application, boolean fanOut) {
        RetrievalConfig c = all.retrievalConfig();
        return c.retrievalSpecificConfig(fanOut ? new FanOutConfig(kinesis).streamName(stream).applicationName(application).consumerName(application)
                : new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(200));
    }

    private static synchronized void say(String what) {
        System.out.println(System.currentTimeMillis() + " " + what);
        System.out.flush();
    }

    private static final class Processor implements ShardRecordProcessor {
        private String shard;

        @Override
        public void initialize(software.amazon.kinesis.lifecycle.events.InitializationInput in) {
            shard = in.shardId();
            say("begin " + shard);
        }

        @Override
        public void processRecords(software.amazon.kinesis.lifecycle.events.ProcessRecordsInput in) {
            for (KinesisClientRecord r : in.records()) {
                say("record " + shard + " " + r.partitionKey() + " " + StandardCharsets.UTF_8.decode(r.data()));
            }
            checkpoint(in.checkpointer());
        }

        private static void checkpoint(software.amazon.kinesis.processor.RecordProcessorCheckpointer checkpointer) {
            try {
                checkpointer.checkpoint();
            } catch (Exception e) { // the lease is gone, or DynamoDB is: another worker has the records again
                System.err.println("checkpoint: " + e);
            }
        }

        @Override
        public void leaseLost(software.amazon.kinesis.lifecycle.events.LeaseLostInput in) {
            say("lost " + shard);
        }

        @Override
        public void shardEnded(software.amazon.kinesis.lifecycle.events.ShardEndedInput in) {
            say("end " + shard);
            checkpoint(in.checkpointer());
        }

        @Override
        public void shutdownRequested(software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput in) {
            checkpoint(in.checkpointer());
        }
    }
}
