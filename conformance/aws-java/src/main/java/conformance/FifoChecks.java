package conformance;

import static conformance.Endpoint.bodies;
import static conformance.Endpoint.entry;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.sorted;
import static conformance.Endpoint.text;
import static conformance.Endpoint.unique;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.ReceiveMessageRequest;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResultEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageRequest;
import software.amazon.awssdk.services.sqs.model.SendMessageResponse;

/** FIFO queues: order, groups that block, deduplication. */
final class FifoChecks {
    private final Suite suite;
    private final Endpoint sqs;

    FifoChecks(Suite suite, Endpoint sqs) {
        this.suite = suite;
        this.sqs = sqs;
    }

    void run() {
        suite.run("fifo: what it must be told", this::required);
        suite.run("fifo: order in a group and a batch", this::order);
        suite.run("fifo: a group blocks, others go on", this::blocked);
        suite.run("fifo: blocked through sends and changes of visibility", this::stillBlocked);
        suite.run("fifo: deduplication by id", this::sameId);
        suite.run("fifo: deduplication by content", this::sameContent);
        suite.run("fifo: deduplication in a group", this::sameInGroup);
        suite.run("fifo: an attempt at receiving repeated", this::attempt);
        suite.run("fifo: a receipt that expired", this::expired);
        suite.run("fifo: dead letters keep their group", this::deadLetter);
    }

    private static Consumer<SendMessageRequest.Builder> to(String group, String dedup) {
        return r -> r.messageGroupId(group).messageDeduplicationId(dedup);
    }

    /** Sends bodies to a group, each with an id of its own. */
    private SendMessageResponse put(String url, String group, String... bodies) {
        SendMessageResponse last = null;
        for (String body : bodies) {
            last = sqs.send(url, body, to(group, UUID.randomUUID().toString()));
        }
        return last;
    }

    private void required() {
        String url = sqs.fifo();
        refused("InvalidParameterValue", () -> sqs.queue("FifoQueue", "true"));
        refused("InvalidParameterValue", () -> sqs.create(unique("q") + ".fifo", Map.of()));
        refused("InvalidAttributeName", () -> sqs.queue("ContentBasedDeduplication", "true"));
        refused("InvalidAttributeValue", () -> sqs.set(url, "FifoQueue", "false"));
        refused("MissingParameter", "MessageGroupId", () -> sqs.send(url, "x", r -> r.messageDeduplicationId("d")));
        refused("InvalidParameterValue", "ContentBasedDeduplication", () -> sqs.send(url, "x", r -> r.messageGroupId("g")));
        refused("InvalidParameterValue", "not valid for this queue type", () -> sqs.send(url, "x", to("g", "d").andThen(r -> r.delaySeconds(2))));
        for (String bad : List.of("has space", "g".repeat(129))) {
            refused("InvalidParameterValue", "MessageGroupId", () -> sqs.send(url, "x", to(bad, "d")));
            refused("InvalidParameterValue", "MessageDeduplicationId", () -> sqs.send(url, "x", to("g", bad)));
        }
        refused("InvalidParameterValue", () -> sqs.send(sqs.queue(), "x", r -> r.messageDeduplicationId("d")));
        sqs.nothing(url);
    }

    private void order() {
        String url = sqs.fifo();
        List<BigInteger> numbers = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            numbers.add(new BigInteger(put(url, "g", "" + i).sequenceNumber()));
        }
        var answer = sqs.batch(url, IntStream.range(5, 15).mapToObj(i -> entry("" + i, "" + i).messageGroupId("g").messageDeduplicationId("d" + i))
                .toArray(SendMessageBatchRequestEntry.Builder[]::new));
        answer.successful().stream().sorted(Comparator.comparing((SendMessageBatchResultEntry e) -> Integer.valueOf(e.id())))
                .forEach(e -> numbers.add(new BigInteger(e.sequenceNumber())));
        equal(numbers.stream().distinct().sorted().toList(), numbers, "sequence numbers");
        List<Message> got = new ArrayList<>();
        while (got.size() < 15) {
            List<Message> some = sqs.receive(url, r -> r.waitTimeSeconds(1).messageSystemAttributeNamesWithStrings("All"));
            holds(!some.isEmpty(), "nothing after " + got.size() + " messages");
            got.addAll(some);
            sqs.delete(url, some);
        }
        equal(bodies(got), IntStream.range(0, 15).mapToObj(i -> "" + i).toList(), "order");
        equal(got.stream().map(m -> new BigInteger(m.attributes().get(MessageSystemAttributeName.SEQUENCE_NUMBER))).toList(), numbers, "sequence numbers");
        equal(got.get(7).attributesAsStrings().get("MessageGroupId"), "g", "group");
        equal(got.get(7).attributesAsStrings().get("MessageDeduplicationId"), "d7", "deduplication id");
    }

    private void blocked() {
        String url = sqs.fifo();
        put(url, "a", "a1", "a2");
        put(url, "b", "b1");
        List<Message> a1 = sqs.take(url, 1);
        equal(bodies(a1), List.of("a1"), "head");
        equal(bodies(sqs.take(url, 1, r -> r.waitTimeSeconds(0))), List.of("b1"), "the other group goes on");
        sqs.nothing(url);
        sqs.delete(url, a1);
        equal(bodies(sqs.take(url, 1)), List.of("a2"), "after the deletion of its head");
    }

    private void stillBlocked() {
        String url = sqs.fifo();
        put(url, "g", "1", "2", "3");
        List<Message> got = sqs.take(url, 2);
        equal(bodies(got), List.of("1", "2"), "heads");
        put(url, "g", "4");
        sqs.nothing(url); // a new message does not free the group
        sqs.hide(url, got.get(1).receiptHandle(), 0);
        sqs.nothing(url); // nor does letting go of one, while another is in flight
        sqs.hide(url, got.get(0).receiptHandle(), 60);
        sqs.nothing(url);
        sqs.hide(url, got.get(0).receiptHandle(), 0);
        equal(bodies(sqs.take(url, 4)), List.of("1", "2", "3", "4"), "all over again, in order");
    }

    private void sameId() {
        String url = sqs.fifo();
        SendMessageResponse first = sqs.send(url, "first", to("g", "same"));
        SendMessageResponse again = sqs.send(url, "second", to("h", "same"));
        equal(List.of(again.messageId(), again.sequenceNumber()), List.of(first.messageId(), first.sequenceNumber()), "the duplicate's answer");
        var batch = sqs.batch(url, entry("0", "third").messageGroupId("g").messageDeduplicationId("same"));
        equal(batch.successful().get(0).messageId(), first.messageId(), "in a batch");
        sqs.delete(url, sqs.take(url, 1));
        sqs.send(url, "fourth", to("g", "same"));
        sqs.nothing(url, 1); // even after the first was deleted
    }

    private void sameContent() {
        String url = sqs.fifo("ContentBasedDeduplication", "true");
        SendMessageResponse first = sqs.send(url, "같은 내용", r -> r.messageGroupId("g"));
        SendMessageResponse again = sqs.send(url, "같은 내용", r -> r.messageGroupId("g").messageAttributes(Map.of("a", text("differs"))));
        equal(again.messageId(), first.messageId(), "equal bodies");
        sqs.send(url, "같은 내용", to("g", "its-own-id"));
        sqs.send(url, "other", r -> r.messageGroupId("g"));
        equal(bodies(sqs.take(url, 3)), List.of("같은 내용", "같은 내용", "other"), "bodies");
        sqs.nothing(url);
    }

    private void sameInGroup() {
        String url = sqs.fifo("DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId");
        for (String group : List.of("g", "h", "g")) {
            sqs.send(url, group, to(group, "same"));
        }
        equal(sorted(bodies(sqs.take(url, 2))), List.of("g", "h"), "one a group");
        sqs.nothing(url);
    }

    private void attempt() {
        String url = sqs.fifo();
        put(url, "g", "1", "2");
        put(url, "h", "3");
        String id = UUID.randomUUID().toString();
        Consumer<ReceiveMessageRequest.Builder> same = r -> r.receiveRequestAttemptId(id).maxNumberOfMessages(2);
        List<Message> first = sqs.receive(url, same);
        List<Message> again = sqs.receive(url, same);
        holds(!first.isEmpty(), "nothing came");
        equal(bodies(again), bodies(first), "the same attempt, the same messages");
        sqs.delete(url, again);
        sqs.take(url, 3 - again.size());
    }

    private void expired() {
        String url = sqs.fifo();
        put(url, "g", "1");
        List<Message> old = sqs.take(url, 1, r -> r.visibilityTimeout(1));
        List<Message> fresh = sqs.take(url, 1);
        refused("InvalidParameterValue", "receipt handle has expired", () -> sqs.delete(url, old));
        sqs.delete(url, fresh);
        sqs.nothing(url);
    }

    private void deadLetter() {
        String dead = sqs.fifo();
        String url = sqs.fifo("RedrivePolicy", sqs.policy(dead, 1));
        put(url, "g", "bad", "good");
        equal(bodies(sqs.take(url, 1, r -> r.visibilityTimeout(0))), List.of("bad"), "head");
        equal(bodies(sqs.take(url, 1)), List.of("good"), "the group goes on");
        Message m = sqs.take(dead, 1, r -> r.messageSystemAttributeNamesWithStrings("All")).get(0);
        equal(List.of(m.body(), m.attributesAsStrings().get("MessageGroupId")), List.of("bad", "g"), "dead letter");
    }
}
