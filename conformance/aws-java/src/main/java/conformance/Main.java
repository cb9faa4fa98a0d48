package conformance;

import java.util.Arrays;
import java.util.List;

/**
 * Drives an SQS endpoint with the AWS SDK for Java v2.
 *
 * <p>The endpoint, the region and the keys come from the variables that every AWS client reads:
 * AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, …. Arguments: {@code [--only TITLE] [--no-keys]}.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        List<String> words = Arrays.asList(args);
        int only = words.indexOf("--only");
        Suite suite = new Suite("aws-java", only < 0 ? "" : words.get(only + 1));
        try (Endpoint sqs = new Endpoint()) {
            new QueueChecks(suite, sqs).run();
            new MessageChecks(suite, sqs).run();
            new RefusalChecks(suite, sqs).run();
            new DeadLetterChecks(suite, sqs).run();
            new FifoChecks(suite, sqs).run();
            if (!words.contains("--no-keys")) {
                new KeyChecks(suite, sqs).run();
            }
        }
        System.exit(suite.finish());
    }
}
