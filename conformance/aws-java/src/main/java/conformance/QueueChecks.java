package conformance;

import static conformance.Endpoint.bodies;
import static conformance.Endpoint.map;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.sorted;
import static conformance.Endpoint.unique;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.PurgeQueueInProgressException;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/** Queues: their names, attributes, tags, permissions, and what is refused. */
final class QueueChecks {
    private final Suite suite;
    private final Endpoint sqs;
    private final SqsClient c;

    QueueChecks(Suite suite, Endpoint sqs) {
        this.suite = suite;
        this.sqs = sqs;
        this.c = sqs.client;
    }

    void run() {
        suite.run("queue: create, find, list, delete", this::lifecycle);
        suite.run("queue: addresses follow the endpoint", this::addresses);
        suite.run("queue: created again", this::again);
        suite.run("queue: listed in pages", this::pages);
        suite.run("queue: attributes", this::attributes);
        suite.run("queue: one that does not exist", this::unknown);
        suite.run("queue: names and attributes that are refused", this::badQueues);
        suite.run("queue: tags", this::tags);
        suite.run("queue: permissions", this::permissions);
        suite.run("queue: purge", this::purge);
        suite.run("queue: counts", this::counts);
    }

    private void lifecycle() {
        String name = unique("life");
        String url = sqs.create(name, Map.of());
        equal(c.getQueueUrl(r -> r.queueName(name)).queueUrl(), url, "its URL");
        equal(c.listQueues(r -> r.queueNamePrefix(name)).queueUrls(), List.of(url), "listed");
        equal(sqs.arn(url), "arn:aws:sqs:" + System.getenv("AWS_REGION") + ":000000000000:" + name, "ARN");
        c.deleteQueue(r -> r.queueUrl(url));
        refused("NonExistentQueue", () -> c.getQueueUrl(r -> r.queueName(name)));
        equal(c.listQueues(r -> r.queueNamePrefix(name)).queueUrls(), List.of(), "listed after its deletion");
    }

    private void addresses() {
        String name = unique("q");
        String url = sqs.create(name, Map.of());
        holds(url.startsWith(sqs.url + "/"), url + " does not begin with " + sqs.url);
        // Under another name of the same address, the URL is that name's.
        String other = "http://localhost:" + URI.create(sqs.url).getPort();
        try (SqsClient there = sqs.at(other)) {
            String found = there.getQueueUrl(r -> r.queueName(name)).queueUrl();
            holds(found.startsWith(other + "/"), found + " does not begin with " + other);
            sqs.send(url, "one name");
            equal(bodies(there.receiveMessage(r -> r.queueUrl(found).waitTimeSeconds(20)).messages()), List.of("one name"), "bodies");
        }
    }

    private void again() {
        String name = unique("again");
        String url = sqs.create(name, map("VisibilityTimeout", "7"));
        equal(sqs.create(name, map("VisibilityTimeout", "7")), url, "the same");
        equal(sqs.create(name, Map.of()), url, "without attributes");
        refused("QueueAlreadyExists", "VisibilityTimeout", () -> sqs.create(name, map("VisibilityTimeout", "8")));
    }

    private void pages() {
        String prefix = unique("page");
        List<String> want = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            want.add(sqs.create(prefix + "-" + i, Map.of()));
        }
        equal(sorted(c.listQueues(r -> r.queueNamePrefix(prefix)).queueUrls()), want, "all at once");
        List<String> got = new ArrayList<>();
        List<Integer> sizes = new ArrayList<>();
        c.listQueuesPaginator(r -> r.queueNamePrefix(prefix).maxResults(3)).forEach(page -> {
            got.addAll(page.queueUrls());
            sizes.add(page.queueUrls().size());
        });
        equal(sorted(got), want, "in pages");
        equal(sizes, List.of(3, 3, 1), "page sizes");
    }

    private void attributes() {
        String url = sqs.queue();
        Map<String, String> got = sqs.attributes(url, "All");
        map("VisibilityTimeout", "30", "DelaySeconds", "0", "MessageRetentionPeriod", "345600", "ReceiveMessageWaitTimeSeconds", "0",
                "MaximumMessageSize", "1048576", "ApproximateNumberOfMessages", "0", "ApproximateNumberOfMessagesNotVisible", "0",
                "ApproximateNumberOfMessagesDelayed", "0").forEach((name, want) -> equal(got.get(name), want, name));
        holds(got.get("CreatedTimestamp").matches("\\d+") && got.get("LastModifiedTimestamp").matches("\\d+"), "times in " + got);
        holds(!got.containsKey("FifoQueue") && !got.containsKey("RedrivePolicy"), "attributes that it has not: " + got);
        String[] change = {"VisibilityTimeout", "12", "DelaySeconds", "3", "MessageRetentionPeriod", "60",
                "ReceiveMessageWaitTimeSeconds", "4", "MaximumMessageSize", "2048"};
        sqs.set(url, change);
        equal(sqs.attributes(url, map(change).keySet().toArray(String[]::new)), map(change), "after the change");
        refused("InvalidAttributeName", () -> sqs.attributes(url, "NoSuchThing"));
        refused("InvalidAttributeName", () -> sqs.set(url, "NoSuchThing", "1"));
        Map<String, String> fifo = sqs.attributes(sqs.fifo(), "All");
        map("FifoQueue", "true", "ContentBasedDeduplication", "false", "DeduplicationScope", "queue", "FifoThroughputLimit", "perQueue")
                .forEach((name, want) -> equal(fifo.get(name), want, name));
    }

    private void unknown() {
        String gone = sqs.queue() + "-gone";
        refused("NonExistentQueue", () -> c.getQueueUrl(r -> r.queueName(unique("none"))));
        refused("NonExistentQueue", () -> sqs.send(gone, "x"));
        refused("NonExistentQueue", () -> sqs.receive(gone, r -> {}));
        refused("NonExistentQueue", () -> sqs.delete(gone, "x"));
        refused("NonExistentQueue", () -> c.deleteQueue(r -> r.queueUrl(gone)));
        refused("NonExistentQueue", () -> c.purgeQueue(r -> r.queueUrl(gone)));
    }

    private void badQueues() {
        for (String name : List.of("has space", "x".repeat(81), "dot.dot", "나루")) {
            refused("InvalidParameterValue", () -> sqs.create(name, Map.of()));
        }
        String lengthy = "x".repeat(80) + unique("");
        sqs.create(lengthy.substring(lengthy.length() - 80), Map.of());
        for (String[] bad : new String[][] {{"VisibilityTimeout", "43201"}, {"VisibilityTimeout", "soon"}, {"DelaySeconds", "901"},
                {"MessageRetentionPeriod", "59"}, {"ReceiveMessageWaitTimeSeconds", "21"}, {"MaximumMessageSize", "1023"},
                {"MaximumMessageSize", "1048577"}}) {
            refused("InvalidAttributeValue", () -> sqs.queue(bad));
        }
        refused("InvalidAttributeName", () -> sqs.queue("NoSuchThing", "1"));
    }

    private void tags() {
        String url = c.createQueue(r -> r.queueName(unique("q")).tags(map("env", "test", "이름", "나루"))).queueUrl();
        equal(c.listQueueTags(r -> r.queueUrl(url)).tags(), map("env", "test", "이름", "나루"), "given at creation");
        c.tagQueue(r -> r.queueUrl(url).tags(map("env", "live", "empty", "")));
        equal(c.listQueueTags(r -> r.queueUrl(url)).tags(), map("env", "live", "이름", "나루", "empty", ""), "after a change");
        c.untagQueue(r -> r.queueUrl(url).tagKeys("env", "empty", "never"));
        equal(c.listQueueTags(r -> r.queueUrl(url)).tags(), map("이름", "나루"), "after a removal");
        c.untagQueue(r -> r.queueUrl(url).tagKeys("이름"));
        equal(c.listQueueTags(r -> r.queueUrl(url)).tags(), Map.of(), "none left");
    }

    private void permissions() {
        String url = sqs.queue();
        Runnable add = () -> c.addPermission(r -> r.queueUrl(url).label("mates").awsAccountIds("111122223333")
                .actions("SendMessage", "ReceiveMessage"));
        add.run();
        String policy = sqs.attribute(url, QueueAttributeName.POLICY);
        holds(policy.contains("\"mates\"") && policy.contains("\"Allow\"") && policy.contains("111122223333"), policy);
        refused("InvalidParameterValue", "Already exists", add);
        refused("InvalidParameterValue", "find label", () -> c.removePermission(r -> r.queueUrl(url).label("others")));
        c.removePermission(r -> r.queueUrl(url).label("mates"));
        String left = sqs.attribute(url, QueueAttributeName.POLICY);
        holds(left == null || !left.contains("mates"), "the permission is still there: " + left);
    }

    private void purge() {
        String url = sqs.queue();
        sqs.send(url, "a", "b", "c");
        sqs.take(url, 1);
        c.purgeQueue(r -> r.queueUrl(url));
        sqs.nothing(url, 1);
        equal(sqs.attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES), "0", "messages left");
        sqs.send(url, "after");
        equal(bodies(sqs.take(url, 1)), List.of("after"), "sent after the purge");
        try { // again within a minute: refused by AWS, not by everyone
            c.purgeQueue(r -> r.queueUrl(url));
        } catch (PurgeQueueInProgressException e) {
            equal(e.statusCode(), 403, "HTTP status");
        }
    }

    private void counts() {
        String url = sqs.queue();
        sqs.send(url, "a", "b", "c", "d");
        sqs.send(url, "later", r -> r.delaySeconds(60));
        sqs.take(url, 1);
        String[] names = {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"};
        equal(sqs.attributes(url, names), map(names[0], "3", names[1], "1", names[2], "1"), "ready, in flight, delayed");
    }
}
