package conformance;

import java.util.Arrays;
import java.util.List;

/**
 * Drives an AMQP 0-9-1 broker with RabbitMQ's client for Java. The broker's address is in AMQP_URL. Arguments: {@code [--only TITLE]}.
 *
 * <p>The suite was checked against RabbitMQ 3.10.8 (Debian 12).
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        List<String> words = Arrays.asList(args);
        int only = words.indexOf("--only");
        Suite suite = new Suite("amqp-java", only < 0 ? "" : words.get(only + 1));
        ConnectionChecks.run(suite);
        ExchangeChecks.run(suite);
        QueueChecks.run(suite);
        PublishChecks.run(suite);
        ConsumeChecks.run(suite);
        DeadLetterChecks.run(suite);
        PatternChecks.run(suite);
        MassTransitChecks.run(suite);
        System.exit(suite.finish());
    }
}
