package conformance;

import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.SqsClientBuilder;
import software.amazon.awssdk.services.sqs.model.BatchEntryIdsNotDistinctException;
import software.amazon.awssdk.services.sqs.model.BatchRequestTooLongException;
import software.amazon.awssdk.services.sqs.model.EmptyBatchRequestException;
import software.amazon.awssdk.services.sqs.model.InvalidAttributeNameException;
import software.amazon.awssdk.services.sqs.model.InvalidAttributeValueException;
import software.amazon.awssdk.services.sqs.model.InvalidBatchEntryIdException;
import software.amazon.awssdk.services.sqs.model.InvalidMessageContentsException;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.PurgeQueueInProgressException;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.QueueDoesNotExistException;
import software.amazon.awssdk.services.sqs.model.QueueNameExistsException;
import software.amazon.awssdk.services.sqs.model.ReceiptHandleIsInvalidException;
import software.amazon.awssdk.services.sqs.model.ReceiveMessageRequest;
import software.amazon.awssdk.services.sqs.model.ResourceNotFoundException;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResponse;
import software.amazon.awssdk.services.sqs.model.SendMessageRequest;
import software.amazon.awssdk.services.sqs.model.SendMessageResponse;
import software.amazon.awssdk.services.sqs.model.SqsException;
import software.amazon.awssdk.services.sqs.model.TooManyEntriesInBatchRequestException;
import software.amazon.awssdk.services.sqs.model.UnsupportedOperationException;

/** The endpoint under test, a client of it, and small tools that the checks share. */
final class Endpoint implements AutoCloseable {
    /** The SDK's own class of each error that it has one for. */
    private static final Map<String, Class<?>> MODELED = Map.ofEntries(
            Map.entry("AWS.SimpleQueueService.NonExistentQueue", QueueDoesNotExistException.class),
            Map.entry("QueueAlreadyExists", QueueNameExistsException.class),
            Map.entry("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", BatchEntryIdsNotDistinctException.class),
            Map.entry("AWS.SimpleQueueService.BatchRequestTooLong", BatchRequestTooLongException.class),
            Map.entry("AWS.SimpleQueueService.EmptyBatchRequest", EmptyBatchRequestException.class),
            Map.entry("AWS.SimpleQueueService.InvalidBatchEntryId", InvalidBatchEntryIdException.class),
            Map.entry("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", TooManyEntriesInBatchRequestException.class),
            Map.entry("AWS.SimpleQueueService.PurgeQueueInProgress", PurgeQueueInProgressException.class),
            Map.entry("AWS.SimpleQueueService.UnsupportedOperation", UnsupportedOperationException.class),
            Map.entry("InvalidAttributeName", InvalidAttributeNameException.class),
            Map.entry("InvalidAttributeValue", InvalidAttributeValueException.class),
            Map.entry("InvalidMessageContents", InvalidMessageContentsException.class),
            Map.entry("ReceiptHandleIsInvalid", ReceiptHandleIsInvalidException.class),
            Map.entry("ResourceNotFoundException", ResourceNotFoundException.class));

    private static int serial;

    final String url = System.getenv("AWS_ENDPOINT_URL").replaceAll("/$", "");
    final SqsClient client = connect(b -> {});

    /** A client that does not try again. */
    SqsClient connect(Consumer<SqsClientBuilder> settings) {
        SqsClientBuilder b = SqsClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder())
                .overrideConfiguration(ClientOverrideConfiguration.builder().retryStrategy(r -> r.maxAttempts(1)).build());
        settings.accept(b);
        return b.build();
    }

    SqsClient connect(AwsCredentialsProvider keys) {
        return connect(b -> b.credentialsProvider(keys));
    }

    SqsClient at(String address) {
        return connect(b -> b.endpointOverride(URI.create(address)));
    }

    @Override
    public void close() {
        client.close();
    }

    static synchronized String unique(String what) {
        return "java-" + what + "-" + ProcessHandle.current().pid() + "-" + System.currentTimeMillis() + "-" + serial++;
    }

    String create(String name, Map<String, String> attributes) {
        return client.createQueue(r -> r.queueName(name).attributesWithStrings(attributes)).queueUrl();
    }

    String queue(String... attributes) {
        return create(unique("q"), map(attributes));
    }

    String fifo(String... attributes) {
        Map<String, String> all = new java.util.HashMap<>(map(attributes));
        all.put("FifoQueue", "true");
        return create(unique("q") + ".fifo", all);
    }

    static Map<String, String> map(String... pairs) {
        Map<String, String> out = new java.util.HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            out.put(pairs[i], pairs[i + 1]);
        }
        return out;
    }

    Map<String, String> attributes(String queue, String... names) {
        return client.getQueueAttributes(r -> r.queueUrl(queue).attributeNamesWithStrings(names)).attributesAsStrings();
    }

    String attribute(String queue, QueueAttributeName name) {
        return attributes(queue, name.toString()).get(name.toString());
    }

    String arn(String queue) {
        return attribute(queue, QueueAttributeName.QUEUE_ARN);
    }

    void set(String queue, String... attributes) {
        client.setQueueAttributes(r -> r.queueUrl(queue).attributesWithStrings(map(attributes)));
    }

    SendMessageResponse send(String queue, String body, Consumer<SendMessageRequest.Builder> more) {
        return client.sendMessage(r -> more.accept(r.queueUrl(queue).messageBody(body)));
    }

    SendMessageResponse send(String queue, String... bodies) {
        SendMessageResponse last = null;
        for (String body : bodies) {
            last = send(queue, body, r -> {});
        }
        return last;
    }

    static SendMessageBatchRequestEntry.Builder entry(String id, String body) {
        return SendMessageBatchRequestEntry.builder().id(id).messageBody(body);
    }

    SendMessageBatchResponse batch(String queue, SendMessageBatchRequestEntry.Builder... entries) {
        List<SendMessageBatchRequestEntry> all = new ArrayList<>();
        for (SendMessageBatchRequestEntry.Builder e : entries) {
            all.add(e.build());
        }
        return client.sendMessageBatch(r -> r.queueUrl(queue).entries(all));
    }

    List<Message> receive(String queue, Consumer<ReceiveMessageRequest.Builder> more) {
        return client.receiveMessage(r -> more.accept(r.queueUrl(queue).maxNumberOfMessages(10))).messages();
    }

    /** Receives until n messages came, and fails if they do not within thirty seconds. */
    List<Message> take(String queue, int n, Consumer<ReceiveMessageRequest.Builder> more) {
        List<Message> out = new ArrayList<>();
        long end = System.currentTimeMillis() + 30_000;
        while (out.size() < n) {
            int left = Math.min(10, n - out.size());
            out.addAll(receive(queue, r -> more.accept(r.waitTimeSeconds(1).maxNumberOfMessages(left))));
            holds(out.size() >= n || System.currentTimeMillis() < end, out.size() + " of " + n + " messages after 30 s");
        }
        equal(out.size(), n, "messages");
        return out;
    }

    List<Message> take(String queue, int n) {
        return take(queue, n, r -> {});
    }

    static List<String> bodies(List<Message> messages) {
        return messages.stream().map(Message::body).toList();
    }

    static List<String> sorted(List<String> words) {
        return words.stream().sorted().toList();
    }

    void nothing(String queue, int seconds) {
        equal(bodies(receive(queue, r -> r.waitTimeSeconds(seconds))), List.of(), "messages in a queue that has none to give");
    }

    void nothing(String queue) {
        nothing(queue, 0);
    }

    void delete(String queue, List<Message> messages) {
        messages.forEach(m -> delete(queue, m.receiptHandle()));
    }

    void delete(String queue, String handle) {
        client.deleteMessage(r -> r.queueUrl(queue).receiptHandle(handle));
    }

    void hide(String queue, String handle, int seconds) {
        client.changeMessageVisibility(r -> r.queueUrl(queue).receiptHandle(handle).visibilityTimeout(seconds));
    }

    String policy(String dead, int attempts) {
        return "{\"deadLetterTargetArn\":\"" + arn(dead) + "\",\"maxReceiveCount\":" + attempts + "}";
    }

    static MessageAttributeValue text(String value) {
        return MessageAttributeValue.builder().dataType("String").stringValue(value).build();
    }

    static void until(String what, BooleanSupplier holds) throws InterruptedException {
        long end = System.currentTimeMillis() + 50_000;
        while (!holds.getAsBoolean()) {
            holds(System.currentTimeMillis() < end, "not within 50 s: " + what);
            Thread.sleep(50);
        }
    }

    /** The call must be refused with the code and the status, as the SDK's class for it. */
    static void refused(String code, int status, String contains, Runnable call) {
        String want = MODELED.containsKey(code) ? code : "AWS.SimpleQueueService." + code;
        want = MODELED.containsKey(want) ? want : code;
        try {
            call.run();
        } catch (SqsException e) {
            equal(e.awsErrorDetails().errorCode(), want, "code of " + e.getMessage());
            equal(e.statusCode(), status, "HTTP status of " + e.getMessage());
            Class<?> modeled = MODELED.getOrDefault(want, SqsException.class);
            holds(modeled.isInstance(e), e.getClass() + " is not " + modeled);
            holds(e.awsErrorDetails().errorMessage().contains(contains), e.getMessage() + " does not say " + contains);
            return;
        }
        throw new AssertionError("it was accepted, want " + want);
    }

    static void refused(String code, String contains, Runnable call) {
        refused(code, 400, contains, call);
    }

    static void refused(String code, Runnable call) {
        refused(code, 400, "", call);
    }
}
