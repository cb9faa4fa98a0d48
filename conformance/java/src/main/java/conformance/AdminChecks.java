package conformance;

import static conformance.Suite.equal;
import static conformance.Suite.fails;
import static conformance.Suite.until;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Administration with the AdminClient. */
final class AdminChecks {
    private final Suite suite;
    private final Broker broker;
    private final Admin admin;

    AdminChecks(Suite suite, Broker broker) {
        this.suite = suite;
        this.broker = broker;
        this.admin = broker.admin;
    }

    void run() {
        suite.run("admin, create, list, describe and delete a topic", this::topicLife);
        suite.run("admin, delete a topic by its id", this::topicById);
        suite.run("admin, bad topics are refused with their own errors", this::topicRefused);
        suite.run("admin, validate only", this::validateOnly);
        suite.run("admin, the answer to a creation tells its settings", this::createdConfig);
        suite.run("admin, add partitions", this::addPartitions);
        suite.run("admin, describe and change settings", this::configs);
        suite.run("admin, broker settings", this::brokerConfigs);
        suite.run("admin, list offsets", this::listOffsets);
        suite.run("admin, delete records", this::deleteRecords);
        suite.run("admin, groups: list, describe, alter and delete offsets, delete", this::groups);
        suite.run("admin, a group with members", this::groupInUse);
        suite.run("admin, describe the cluster", this::cluster);
        suite.run("admin, describe log dirs", this::logDirs);
        suite.run("admin, describe producers", this::producers);
    }

    private static NewTopic spec(String name, int partitions, int replicas) {
        return new NewTopic(name, partitions, (short) replicas);
    }

    private void create(NewTopic topic) throws Exception {
        admin.createTopics(List.of(topic)).all().get();
    }

    private void topicLife() throws Exception {
        String topic = broker.topic(3);
        equal(admin.listTopics().names().get().contains(topic), true, "listed");
        TopicDescription d = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        equal(d.partitions().size(), 3, "partitions");
        d.partitions().forEach(p -> equal(List.of(p.replicas().size(), p.isr().size(), p.leader() != null), List.of(1, 1, true), "replicas, ISR, leader"));
        equal(admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(d.topicId()))).allTopicIds().get()
                .get(d.topicId()).name(), topic, "name by id");
        admin.deleteTopics(List.of(topic)).all().get();
        until("it is gone", () -> !admin.listTopics().names().get().contains(topic));
        fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(topic)).all().get());
        fails(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of(topic)).allTopicNames().get());
    }

    private void topicById() throws Exception {
        String topic = broker.topic(1);
        var id = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
        admin.deleteTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(id))).all().get();
        until("it is gone", () -> !admin.listTopics().names().get().contains(topic));
    }

    private void topicRefused() throws Exception {
        String topic = broker.topic(1);
        fails(TopicExistsException.class, () -> create(spec(topic, 1, 1)));
        fails(InvalidTopicException.class, () -> create(spec("a topic", 1, 1)));
        fails(InvalidPartitionsException.class, () -> create(spec(Broker.unique("zero"), 0, 1)));
        fails(InvalidReplicationFactorException.class, () -> create(spec(Broker.unique("three"), 1, 3)));
        fails(InvalidConfigurationException.class, () -> create(spec(Broker.unique("bad"), 1, 1).configs(Map.of("no.such.setting", "1"))));
    }

    private void validateOnly() throws Exception {
        String topic = Broker.unique("validate");
        admin.createTopics(List.of(spec(topic, 1, 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        equal(admin.listTopics().names().get().contains(topic), false, "exists");
    }

    private void createdConfig() throws Exception {
        String topic = Broker.unique("config");
        var r = admin.createTopics(List.of(spec(topic, 2, 1).configs(Map.of("retention.ms", "3600000"))));
        equal(r.numPartitions(topic).get(), 2, "partitions");
        equal(r.replicationFactor(topic).get(), 1, "replicas");
        equal(r.config(topic).get().get("retention.ms").value(), "3600000", "retention.ms");
        equal(r.topicId(topic).get(), admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId(), "id");
    }

    private void addPartitions() throws Exception {
        String topic = broker.topic(2);
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        until("5 partitions", () -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 5);
        fails(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get());
    }

    private Config config(ConfigResource.Type type, String name) throws Exception {
        ConfigResource r = new ConfigResource(type, name);
        return admin.describeConfigs(List.of(r)).all().get().get(r);
    }

    private void alter(String topic, AlterConfigOp.OpType op, String name, String value) throws Exception {
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(name, value), op));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), ops)).all().get();
    }

    private void configs() throws Exception {
        String topic = broker.topic(1, "retention.bytes", "1000000");
        ConfigEntry before = config(ConfigResource.Type.TOPIC, topic).get("retention.ms");
        equal(before.isDefault(), true, "retention.ms is a default");
        alter(topic, AlterConfigOp.OpType.SET, "retention.ms", "123456");
        until("it is set", () -> config(ConfigResource.Type.TOPIC, topic).get("retention.ms").value().equals("123456"));
        equal(config(ConfigResource.Type.TOPIC, topic).get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
        alter(topic, AlterConfigOp.OpType.DELETE, "retention.ms", "");
        until("it is reset", () -> config(ConfigResource.Type.TOPIC, topic).get("retention.ms").value().equals(before.value()));
        equal(config(ConfigResource.Type.TOPIC, topic).get("retention.bytes").value(), "1000000", "the other setting");
        fails(InvalidConfigurationException.class, () -> alter(topic, AlterConfigOp.OpType.SET, "retention.ms", "soon"));
        fails(UnknownTopicOrPartitionException.class, () -> config(ConfigResource.Type.TOPIC, Broker.unique("absent")));
    }

    private void brokerConfigs() throws Exception {
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        equal(config(ConfigResource.Type.BROKER, "" + node).entries().isEmpty(), false, "no settings");
    }

    private void listOffsets() throws Exception {
        TopicPartition p = new TopicPartition(broker.topic(1), 0);
        long base = System.currentTimeMillis() - 100_000;
        broker.fill(p.topic(), 50, base);
        Map<OffsetSpec, Long> wants = Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), 50L, OffsetSpec.maxTimestamp(), 49L,
                OffsetSpec.forTimestamp(base + 20), 20L, OffsetSpec.forTimestamp(base + 5000), -1L);
        for (var want : wants.entrySet()) {
            equal(admin.listOffsets(Map.of(p, want.getKey())).partitionResult(p).get().offset(), want.getValue(),
                    want.getKey().getClass().getSimpleName());
        }
    }

    private void deleteRecords() throws Exception {
        TopicPartition p = new TopicPartition(broker.topic(1), 0);
        broker.fill(p.topic(), 100);
        equal(admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(30))).lowWatermarks().get(p).get().lowWatermark(), 30L, "low watermark");
        equal(broker.read(p.topic(), 70, 0).get(0).offset(), 30L, "first record");
        fails(OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(500))).all().get());
    }

    private void groups() throws Exception {
        TopicPartition p = new TopicPartition(broker.topic(2), 0);
        String group = Broker.unique("g");
        admin.alterConsumerGroupOffsets(group, Map.of(p, new OffsetAndMetadata(4), new TopicPartition(p.topic(), 1), new OffsetAndMetadata(0))).all().get();
        equal(admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)), true, "listed");
        ConsumerGroupDescription d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        equal(d.groupState(), GroupState.EMPTY, "state");
        equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(p).offset(), 4L, "offset");
        admin.deleteConsumerGroupOffsets(group, Set.of(p)).all().get();
        equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(p), null, "offset after its deletion");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        fails(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(group)).all().get());
    }

    private void groupInUse() throws Exception {
        String topic = broker.topic(3);
        String group = Broker.unique("g");
        broker.fill(topic, 1);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", group, "client.id", "client-7")) {
            c.subscribe(List.of(topic));
            Broker.take(c, 1);
            ConsumerGroupDescription d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            equal(List.of(d.groupState(), d.partitionAssignor(), d.members().size()), List.of(GroupState.STABLE, "range", 1), "description");
            equal(d.members().iterator().next().assignment().topicPartitions().size(), 3, "partitions");
            equal(d.members().iterator().next().clientId(), "client-7", "client id");
            fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
    }

    private void cluster() throws Exception {
        var d = admin.describeCluster();
        equal(d.nodes().get().size(), Integer.parseInt(System.getenv().getOrDefault("BROKERS", "1")), "nodes");
        equal(d.nodes().get().contains(d.controller().get()), true, "the controller is one of them");
        equal(d.clusterId().get().isEmpty(), false, "no cluster id");
    }

    private void logDirs() throws Exception {
        TopicPartition p = new TopicPartition(broker.topic(1), 0);
        broker.fill(p.topic(), 100);
        List<Integer> nodes = admin.describeCluster().nodes().get().stream().map(n -> n.id()).toList(); // one of them has it
        for (var dirs : admin.describeLogDirs(nodes).allDescriptions().get().values()) {
            for (LogDirDescription d : dirs.values()) {
                equal(d.error(), null, "error");
                if (d.replicaInfos().containsKey(p)) {
                    equal(d.replicaInfos().get(p).size() > 0, true, "size");
                    return;
                }
            }
        }
        throw new AssertionError("the partition is in no directory");
    }

    private void producers() throws Exception {
        TopicPartition p = new TopicPartition(broker.topic(1), 0);
        broker.fill(p.topic(), 10);
        List<ProducerState> got = admin.describeProducers(List.of(p)).partitionResult(p).get().activeProducers();
        equal(got.size(), 1, "producers");
        equal(got.get(0).lastSequence(), 9, "last sequence");
    }
}
