package conformance;

import static conformance.Endpoint.entry;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.text;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;

/** What is refused, and with which error. */
final class RefusalChecks {
    private final Suite suite;
    private final Endpoint sqs;

    RefusalChecks(Suite suite, Endpoint sqs) {
        this.suite = suite;
        this.sqs = sqs;
    }

    void run() {
        suite.run("message: batches refused whole", this::batches);
        suite.run("message: contents that are refused", this::contents);
        suite.run("message: parameters out of range", this::ranges);
    }

    private void send(String url, String... ids) {
        sqs.batch(url, Arrays.stream(ids).map(id -> entry(id, "x")).toArray(SendMessageBatchRequestEntry.Builder[]::new));
    }

    private void batches() {
        String url = sqs.queue();
        refused("EmptyBatchRequest", () -> send(url));
        refused("TooManyEntriesInBatchRequest", "You have sent 11", () -> send(url, "abcdefghijk".split("")));
        refused("BatchEntryIdsNotDistinct", () -> send(url, "a", "b", "a"));
        refused("InvalidBatchEntryId", () -> send(url, "has space"));
        refused("InvalidBatchEntryId", () -> send(url, "i".repeat(81)));
        String half = "x".repeat(1 << 19);
        refused("BatchRequestTooLong", "You have sent 1048577 bytes", () -> sqs.batch(url, entry("0", half), entry("1", half + "y")));
        List<DeleteMessageBatchRequestEntry> deletes = IntStream.range(0, 11)
                .mapToObj(i -> DeleteMessageBatchRequestEntry.builder().id("" + i).receiptHandle("x").build()).toList();
        refused("TooManyEntriesInBatchRequest", () -> sqs.client.deleteMessageBatch(r -> r.queueUrl(url).entries(deletes)));
        refused("EmptyBatchRequest", () -> sqs.client.deleteMessageBatch(r -> r.queueUrl(url).entries(List.of())));
        sqs.nothing(url);
    }

    private static MessageAttributeValue value(String type, String text) {
        return MessageAttributeValue.builder().dataType(type).stringValue(text).build();
    }

    private static MessageAttributeValue bytes(String type, String text) {
        return MessageAttributeValue.builder().dataType(type).binaryValue(SdkBytes.fromUtf8String(text)).build();
    }

    private void contents() {
        String url = sqs.queue();
        refused("MissingParameter", "MessageBody", () -> sqs.send(url, ""));
        for (String bad : List.of("\0", "\u000b", "\u001f", "\ufffe")) {
            refused("InvalidMessageContents", () -> sqs.send(url, "a" + bad));
        }
        for (Map<String, MessageAttributeValue> bad : List.of(Map.of("a", text("")), Map.of("a", bytes("Binary", "")),
                Map.of("a", value("Number", "seven")), Map.of("a", value("Text", "x")), Map.of("a", bytes("String", "x")),
                Map.of("AWS.mine", text("x")), Map.of(".dot", text("x")), Map.of("two..dots", text("x")), Map.of("n".repeat(257), text("x")),
                IntStream.range(0, 11).boxed().collect(Collectors.toMap(i -> "a" + i, i -> text("x"))))) {
            refused("InvalidParameterValue", () -> sqs.send(url, "x", r -> r.messageAttributes(bad)));
        }
        sqs.nothing(url);
    }

    private void ranges() {
        String url = sqs.queue();
        for (int n : new int[] {0, 11}) {
            refused("InvalidParameterValue", "Must be between 1 and 10, if provided.", () -> sqs.receive(url, r -> r.maxNumberOfMessages(n)));
        }
        for (int n : new int[] {-1, 21}) {
            refused("InvalidParameterValue", "Must be >= 0 and <= 20, if provided.", () -> sqs.receive(url, r -> r.waitTimeSeconds(n)));
        }
        for (int n : new int[] {-1, 43201}) {
            refused("InvalidParameterValue", () -> sqs.receive(url, r -> r.visibilityTimeout(n)));
        }
        for (int n : new int[] {-1, 901}) {
            refused("InvalidParameterValue", () -> sqs.send(url, "x", r -> r.delaySeconds(n)));
        }
        sqs.nothing(url);
    }
}
