package conformance;

import java.util.Arrays;
import java.util.List;

/**
 * Drives a Kinesis endpoint with the AWS SDK for Java v2, which writes CBOR: the synchronous client over HTTP/1.1, the
 * asynchronous one over HTTP/2.
 *
 * <p>The endpoint, the region and the keys come from the variables that every AWS client reads:
 * AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, …. Arguments: {@code [--only TITLE] [--no-keys]}.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        List<String> words = Arrays.asList(args);
        int only = words.indexOf("--only");
        Suite suite = new Suite("kinesis-java", only < 0 ? "" : words.get(only + 1));
        try (Endpoint kinesis = new Endpoint()) {
            new StreamChecks(suite, kinesis).run();
            new RecordChecks(suite, kinesis).run();
            new ConsumerChecks(suite, kinesis).run();
            if (!words.contains("--no-keys")) {
                new KeyChecks(suite, kinesis).run();
            }
        }
        System.exit(suite.finish());
    }
}
