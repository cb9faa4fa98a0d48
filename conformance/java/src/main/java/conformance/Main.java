package conformance;

import java.util.HashMap;
import java.util.Map;

/**
 * Drives a broker with Apache Kafka's own Java client.
 *
 * <pre>
 *   suite      run the checks, print a count
 *   member     be a group member under the rebalance judge
 *   producer   be its producer
 *   digest     print a hash of each partition of a topic
 *   corpus     produce the stanzas of a file and print the same hashes
 * </pre>
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> o = new HashMap<>(Map.of("partitions", "1", "records", "1000", "rate", "1000",
                "assignor", "range", "only", "", "instance", ""));
        String fallback = System.getenv("CONFORMANCE_BOOTSTRAP");
        if (fallback != null) {
            o.put("bootstrap", fallback);
        }
        for (int i = 1; i + 1 < args.length; i += 2) {
            o.put(args[i].replaceFirst("^--", ""), args[i + 1]);
        }
        if (args.length == 0 || !o.containsKey("bootstrap")) {
            System.err.println("usage: Main suite|member|producer|digest|corpus --bootstrap HOST:PORT …");
            System.exit(2);
        }
        switch (args[0]) {
            case "suite" -> {
                Suite suite = new Suite("java", o.get("only"));
                try (Broker broker = new Broker(o.get("bootstrap"))) {
                    new RecordChecks(suite, broker).run();
                    new GroupChecks(suite, broker).run();
                    new AdminChecks(suite, broker).run();
                }
                System.exit(suite.finish());
            }
            case "member" -> Load.member(o);
            case "producer" -> Load.producer(o);
            case "digest" -> Corpus.digest(o);
            case "corpus" -> Corpus.produce(o);
            default -> throw new IllegalArgumentException("unknown command " + args[0]);
        }
    }
}
