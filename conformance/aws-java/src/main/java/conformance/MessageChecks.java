package conformance;

import static conformance.Endpoint.bodies;
import static conformance.Endpoint.entry;
import static conformance.Endpoint.map;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.sorted;
import static conformance.Endpoint.text;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.sqs.model.BatchResultErrorEntry;
import software.amazon.awssdk.services.sqs.model.ChangeMessageVisibilityBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeNameForSends;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeValue;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResultEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageResponse;

/** Messages: sending, receiving, hiding, deleting. */
final class MessageChecks {
    private static final int MIB = 1 << 20;

    private final Suite suite;
    private final Endpoint sqs;

    MessageChecks(Suite suite, Endpoint sqs) {
        this.suite = suite;
        this.sqs = sqs;
    }

    void run() {
        suite.run("message: send, receive, delete", this::sendReceiveDelete);
        suite.run("message: Korean text and other characters", this::texts);
        suite.run("message: attributes of every type", this::everyType);
        suite.run("message: attributes as asked for", this::chosenAttributes);
        suite.run("message: system attributes as asked for", this::systemAttributes);
        suite.run("message: batch of ten", this::batchOfTen);
        suite.run("message: batch refused in part", this::batchInPart);
        suite.run("message: short and long polls", this::polls);
        suite.run("message: a lease that ends", this::leaseEnds);
        suite.run("message: change of visibility", this::visibility);
        suite.run("message: change of visibility in a batch", this::visibilityBatch);
        suite.run("message: deletion in a batch", this::deleteBatch);
        suite.run("message: delays", this::delays);
        suite.run("message: sizes", this::sizes);
    }

    private void sendReceiveDelete() {
        String url = sqs.queue();
        SendMessageResponse sent = sqs.send(url, "hello");
        equal(sent.sequenceNumber(), null, "sequence number");
        Message m = sqs.take(url, 1).get(0);
        equal(List.of(m.body(), m.messageId()), List.of("hello", sent.messageId()), "message");
        holds(!m.hasAttributes() && !m.hasMessageAttributes(), "attributes that nobody asked for: " + m);
        sqs.nothing(url);
        sqs.hide(url, m.receiptHandle(), 1);
        sqs.delete(url, m.receiptHandle());
        sqs.nothing(url, 2); // beyond its lease
        sqs.delete(url, m.receiptHandle()); // deleting again is no error
    }

    private void texts() {
        String url = sqs.queue();
        List<String> all = List.of("강을 건너는 모든 배가 닿는 곳, 나루", "tab\tnewline\ncarriage\rreturn", "<a href=\"x\">&amp;'</a>",
                "emoji 🛶 and \udbff\udffd", "  spaces  ", "1+1=2 100% a/b?c", "{\"json\": [1, \"둘\"]}", "줄".repeat(50_000));
        sqs.send(url, all.toArray(String[]::new));
        equal(sorted(bodies(sqs.take(url, all.size()))), sorted(all), "bodies");
    }

    private static MessageAttributeValue typed(String type, String value) {
        return MessageAttributeValue.builder().dataType(type).stringValue(value).build();
    }

    private static MessageAttributeValue binary(String type, byte... value) {
        return MessageAttributeValue.builder().dataType(type).binaryValue(SdkBytes.fromByteArray(value)).build();
    }

    private void everyType() {
        String url = sqs.queue();
        byte[] every = new byte[256];
        for (int i = 0; i < 256; i++) {
            every[i] = (byte) i;
        }
        Map<String, MessageAttributeValue> want = Map.of("text", text("나루터 <&> \"따옴표\""), "count", typed("Number", "-12.50"),
                "bytes", binary("Binary", every), "text.custom", typed("String.title", "머리글"), "n.int", typed("Number.int", "7"),
                "b.png", binary("Binary.png", (byte) 0x89, (byte) 'P', (byte) 13, (byte) 10, (byte) 0));
        sqs.send(url, "with", r -> r.messageAttributes(want));
        equal(sqs.take(url, 1, r -> r.messageAttributeNames("All")).get(0).messageAttributes(), want, "attributes");
        Map<String, MessageAttributeValue> ten = IntStream.range(0, 10).boxed().collect(Collectors.toMap(i -> "a" + i, i -> text("" + i)));
        sqs.batch(url, entry("0", "ten").messageAttributes(ten));
        equal(sqs.take(url, 1, r -> r.messageAttributeNames("All")).get(0).messageAttributes(), ten, "attributes");
    }

    private void chosenAttributes() {
        String url = sqs.queue();
        List<String> names = List.of("a", "b", "price.high", "price.low");
        Map<String, MessageAttributeValue> all = names.stream().collect(Collectors.toMap(n -> n, Endpoint::text));
        List<List<List<String>>> cases = List.of(List.of(List.of(), List.of()), List.of(List.of("a"), List.of("a")),
                List.of(List.of("a", "b", "none"), List.of("a", "b")), List.of(List.of("none"), List.of()), List.of(List.of("All"), names),
                List.of(List.of(".*"), names), List.of(List.of("price.*"), List.of("price.high", "price.low")),
                List.of(List.of("price.low", "b"), List.of("b", "price.low")));
        for (List<List<String>> asked : cases) {
            sqs.send(url, "m", r -> r.messageAttributes(all));
            List<Message> got = sqs.take(url, 1, r -> r.messageAttributeNames(asked.get(0)));
            equal(List.copyOf(new TreeSet<>(got.get(0).messageAttributes().keySet())), asked.get(1), "asked for " + asked.get(0));
            holds(got.get(0).hasMessageAttributes() != asked.get(1).isEmpty(), "an empty map of attributes for " + asked.get(0));
            sqs.delete(url, got);
        }
    }

    private void systemAttributes() {
        String url = sqs.queue();
        long before = System.currentTimeMillis();
        String trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        sqs.send(url, "m", r -> r.messageSystemAttributes(Map.of(MessageSystemAttributeNameForSends.AWS_TRACE_HEADER,
                MessageSystemAttributeValue.builder().dataType("String").stringValue(trace).build())));
        Map<String, String> a = sqs.take(url, 1, r -> r.messageSystemAttributeNamesWithStrings("All").visibilityTimeout(0)).get(0).attributesAsStrings();
        equal(List.copyOf(new TreeSet<>(a.keySet())), List.of("AWSTraceHeader", "ApproximateFirstReceiveTimestamp",
                "ApproximateReceiveCount", "SenderId", "SentTimestamp"), "names");
        equal(List.of(a.get("ApproximateReceiveCount"), a.get("AWSTraceHeader")), List.of("1", trace), "values");
        for (String name : List.of("SentTimestamp", "ApproximateFirstReceiveTimestamp")) {
            long at = Long.parseLong(a.get(name));
            holds(at >= before - 1000 && at <= System.currentTimeMillis() + 1000, name + " " + at);
        }
        equal(sqs.take(url, 1, r -> r.messageSystemAttributeNames(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT,
                        MessageSystemAttributeName.APPROXIMATE_FIRST_RECEIVE_TIMESTAMP)).get(0).attributesAsStrings(),
                map("ApproximateReceiveCount", "2", "ApproximateFirstReceiveTimestamp", a.get("ApproximateFirstReceiveTimestamp")), "those asked for");
    }

    private void batchOfTen() {
        String url = sqs.queue();
        List<String> want = IntStream.range(0, 10).mapToObj(i -> "m" + i).toList();
        var answer = sqs.batch(url, want.stream().map(b -> entry(b, b)).toArray(SendMessageBatchRequestEntry.Builder[]::new));
        equal(List.of(answer.successful().size(), answer.failed().size()), List.of(10, 0), "taken, refused");
        List<Message> got = sqs.take(url, 10);
        equal(sorted(bodies(got)), want, "bodies");
        equal(sorted(got.stream().map(Message::messageId).toList()),
                sorted(answer.successful().stream().map(SendMessageBatchResultEntry::messageId).toList()), "ids");
    }

    private void batchInPart() {
        String url = sqs.queue();
        var answer = sqs.batch(url, entry("0", "good"), entry("1", "late").delaySeconds(901), entry("2", "bad \u0001 char"),
                entry("3", "also good"), entry("4", "empty").messageAttributes(Map.of("a", text(""))));
        equal(answer.successful().stream().map(SendMessageBatchResultEntry::id).toList(), List.of("0", "3"), "taken");
        equal(refusals(answer.failed()), Map.of("1", "InvalidParameterValue", "2", "InvalidMessageContents", "4", "InvalidParameterValue"), "refused");
        equal(sorted(bodies(sqs.take(url, 2))), List.of("also good", "good"), "bodies");
        sqs.nothing(url);
    }

    private static Map<String, String> refusals(List<BatchResultErrorEntry> failed) {
        Map<String, String> out = new TreeMap<>();
        for (BatchResultErrorEntry e : failed) {
            holds(e.senderFault(), e + " is not the sender's fault");
            out.put(e.id(), e.code());
        }
        return out;
    }

    private void polls() {
        String url = sqs.queue();
        long quickest = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            long began = System.currentTimeMillis();
            sqs.nothing(url);
            quickest = Math.min(quickest, System.currentTimeMillis() - began);
        }
        holds(quickest < 900, "a short poll waited " + quickest + " ms");
        long start = System.currentTimeMillis();
        sqs.nothing(url, 2);
        long took = System.currentTimeMillis() - start;
        holds(took >= 1900 && took < 10_000, "a long poll of 2 s took " + took + " ms");
        sqs.send(url, "soon", r -> r.delaySeconds(1));
        start = System.currentTimeMillis();
        equal(bodies(sqs.take(url, 1, r -> r.waitTimeSeconds(20))), List.of("soon"), "bodies");
        holds(System.currentTimeMillis() - start < 15_000, "a message that was due after 1 s came later than 15 s");
        String waits = sqs.queue("ReceiveMessageWaitTimeSeconds", "1");
        start = System.currentTimeMillis();
        equal(sqs.receive(waits, r -> {}), List.of(), "messages");
        holds(System.currentTimeMillis() - start >= 900, "the queue's own wait was not kept");
    }

    private void leaseEnds() {
        String url = sqs.queue("VisibilityTimeout", "4");
        sqs.send(url, "m");
        Message first = sqs.take(url, 1).get(0);
        sqs.nothing(url);
        Message second = sqs.take(url, 1, r -> r.messageSystemAttributeNamesWithStrings("ApproximateReceiveCount").visibilityTimeout(30)).get(0);
        equal(List.of(second.messageId(), second.attributesAsStrings().get("ApproximateReceiveCount")), List.of(first.messageId(), "2"), "second");
        holds(!second.receiptHandle().equals(first.receiptHandle()), "the same receipt handle twice");
        sqs.delete(url, second.receiptHandle());
    }

    private void visibility() {
        String url = sqs.queue();
        sqs.send(url, "m");
        String first = sqs.take(url, 1, r -> r.visibilityTimeout(4)).get(0).receiptHandle();
        sqs.hide(url, first, 60);
        sqs.nothing(url, 5); // beyond its first lease
        sqs.hide(url, first, 0);
        String second = sqs.take(url, 1, r -> r.waitTimeSeconds(0).visibilityTimeout(30)).get(0).receiptHandle();
        sqs.hide(url, second, 1);
        String third = sqs.take(url, 1).get(0).receiptHandle();
        refused("InvalidParameterValue", () -> sqs.hide(url, third, 43201));
        sqs.delete(url, third);
        refused("InvalidParameterValue", () -> sqs.hide(url, third, 1));
        refused("ReceiptHandleIsInvalid", 404, "", () -> sqs.hide(url, "nonsense", 1));
    }

    private static ChangeMessageVisibilityBatchRequestEntry change(String id, String handle, int seconds) {
        return ChangeMessageVisibilityBatchRequestEntry.builder().id(id).receiptHandle(handle).visibilityTimeout(seconds).build();
    }

    private void visibilityBatch() {
        String url = sqs.queue();
        sqs.send(url, "a", "b");
        List<Message> got = sqs.take(url, 2);
        var answer = sqs.client.changeMessageVisibilityBatch(r -> r.queueUrl(url).entries(change("a", got.get(0).receiptHandle(), 0),
                change("bad", "nonsense", 0), change("b", got.get(1).receiptHandle(), 60)));
        equal(answer.successful().size(), 2, "changed");
        equal(refusals(answer.failed()), Map.of("bad", "ReceiptHandleIsInvalid"), "refused");
        equal(sqs.take(url, 1, r -> r.waitTimeSeconds(0)).get(0).messageId(), got.get(0).messageId(), "released");
        sqs.nothing(url);
    }

    private void deleteBatch() {
        String url = sqs.queue("VisibilityTimeout", "1");
        sqs.send(url, "a", "b", "c");
        List<DeleteMessageBatchRequestEntry> entries = new ArrayList<>();
        sqs.take(url, 3, r -> r.visibilityTimeout(30)).forEach(m ->
                entries.add(DeleteMessageBatchRequestEntry.builder().id(m.body()).receiptHandle(m.receiptHandle()).build()));
        entries.add(DeleteMessageBatchRequestEntry.builder().id("bad").receiptHandle("nonsense").build());
        var answer = sqs.client.deleteMessageBatch(r -> r.queueUrl(url).entries(entries));
        equal(answer.successful().size(), 3, "deleted");
        equal(refusals(answer.failed()), Map.of("bad", "ReceiptHandleIsInvalid"), "refused");
        sqs.nothing(url, 1);
        refused("ReceiptHandleIsInvalid", 404, "", () -> sqs.delete(url, "nonsense"));
    }

    private void delays() {
        String url = sqs.queue();
        String slow = sqs.queue("DelaySeconds", "5");
        long start = System.currentTimeMillis();
        sqs.send(url, "late", r -> r.delaySeconds(5));
        sqs.send(slow, "late too");
        sqs.send(slow, "at once", r -> r.delaySeconds(0));
        equal(bodies(sqs.take(slow, 1, r -> r.waitTimeSeconds(0))), List.of("at once"), "its own delay comes before the queue's");
        sqs.nothing(url);
        sqs.nothing(slow);
        equal(bodies(sqs.take(url, 1)), List.of("late"), "bodies");
        equal(bodies(sqs.take(slow, 1)), List.of("late too"), "bodies");
        holds(System.currentTimeMillis() - start >= 4900, "delivered too early");
    }

    private void sizes() {
        String url = sqs.queue();
        String body = "0123456789abcdef".repeat(MIB / 16);
        sqs.send(url, body);
        holds(sqs.take(url, 1).get(0).body().equals(body), "a body of 1 MiB changed");
        refused("InvalidParameterValue", "Message must be shorter than 1048576 bytes", () -> sqs.send(url, body + "x"));
        Map<String, MessageAttributeValue> a = Map.of("name", text("v".repeat(100)));
        int fits = MIB - "name".length() - "String".length() - 100;
        sqs.send(url, body.substring(0, fits), r -> r.messageAttributes(a));
        refused("InvalidParameterValue", "shorter than", () -> sqs.send(url, body.substring(0, fits + 1), r -> r.messageAttributes(a)));
        String small = sqs.queue("MaximumMessageSize", "1024");
        sqs.send(small, "x".repeat(1024), "나".repeat(341));
        refused("InvalidParameterValue", "shorter than 1024 bytes", () -> sqs.send(small, "나".repeat(342)));
    }
}
