package conformance;

import static conformance.Endpoint.bodies;
import static conformance.Endpoint.refused;
import static conformance.Endpoint.sorted;
import static conformance.Endpoint.text;
import static conformance.Endpoint.until;
import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.ListMessageMoveTasksResultEntry;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/** Dead letters, and the tasks that move them back. */
final class DeadLetterChecks {
    private final Suite suite;
    private final Endpoint sqs;
    private final SqsClient c;

    DeadLetterChecks(Suite suite, Endpoint sqs) {
        this.suite = suite;
        this.sqs = sqs;
        this.c = sqs.client;
    }

    void run() {
        suite.run("dead letter: after two receives", this::afterTwo);
        suite.run("dead letter: moved back, and elsewhere", this::moved);
        suite.run("dead letter: policies that are refused", this::policies);
    }

    private void afterTwo() {
        String dead = sqs.queue();
        String url = sqs.queue("VisibilityTimeout", "1", "RedrivePolicy", sqs.policy(dead, 2));
        var sent = sqs.send(url, "poison", r -> r.messageAttributes(Map.of("k", text("값"))));
        sqs.take(url, 1, r -> r.visibilityTimeout(0));
        sqs.take(url, 1, r -> r.visibilityTimeout(0));
        sqs.nothing(url, 1);
        Message m = sqs.take(dead, 1, r -> r.messageSystemAttributeNamesWithStrings("All").messageAttributeNames("All")).get(0);
        equal(List.of(m.body(), m.messageAttributes().get("k").stringValue()), List.of("poison", "값"), "message");
        equal(m.attributesAsStrings().get("DeadLetterQueueSourceArn"), sqs.arn(url), "where it came from");
        equal(m.messageId(), sent.messageId(), "its id");
        equal(c.listDeadLetterSourceQueues(r -> r.queueUrl(dead)).queueUrls(), List.of(url), "sources");
        sqs.nothing(url);
    }

    private ListMessageMoveTasksResultEntry task(String arn) {
        return c.listMessageMoveTasks(r -> r.sourceArn(arn).maxResults(10)).results().get(0);
    }

    private void bury(String url, String dead, int n) throws InterruptedException {
        sqs.send(url, IntStream.range(0, n).mapToObj(i -> "m" + i).toArray(String[]::new));
        sqs.take(url, n, r -> r.visibilityTimeout(0));
        sqs.nothing(url, 1);
        until("dead letters", () -> sqs.attribute(dead, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES).equals("" + n));
    }

    private void moved() throws InterruptedException {
        String dead = sqs.queue();
        String url = sqs.queue("RedrivePolicy", sqs.policy(dead, 1));
        String arn = sqs.arn(dead);
        bury(url, dead, 5);
        c.startMessageMoveTask(r -> r.sourceArn(arn));
        equal(sorted(bodies(sqs.take(url, 5, r -> r.visibilityTimeout(60)))), List.of("m0", "m1", "m2", "m3", "m4"), "back at the source");
        until("the task is over", () -> task(arn).status().equals("COMPLETED"));
        equal(task(arn).approximateNumberOfMessagesMoved(), 5L, "moved");
        bury(url, dead, 20);
        String other = sqs.queue();
        String to = sqs.arn(other);
        String handle = c.startMessageMoveTask(r -> r.sourceArn(arn).destinationArn(to).maxNumberOfMessagesPerSecond(1)).taskHandle();
        sqs.take(other, 1);
        until("it is counted", () -> task(arn).approximateNumberOfMessagesMoved() >= 1);
        ListMessageMoveTasksResultEntry running = task(arn);
        equal(List.of(running.status(), running.destinationArn(), running.maxNumberOfMessagesPerSecond(), running.taskHandle()),
                List.of("RUNNING", to, 1, handle), "task");
        refused("UnsupportedOperation", () -> c.startMessageMoveTask(r -> r.sourceArn(arn)));
        long n = c.cancelMessageMoveTask(r -> r.taskHandle(handle)).approximateNumberOfMessagesMoved();
        holds(n >= 1 && n < 20, n + " were moved before the end");
        until("the task is called off", () -> task(arn).status().equals("CANCELLED"));
        refused("ResourceNotFoundException", 404, "", () -> c.startMessageMoveTask(r -> r.sourceArn(arn + "-gone")));
        refused("InvalidParameterValue", () -> c.startMessageMoveTask(r -> r.sourceArn(to)));
    }

    private void bad(String url, String policy) {
        refused("InvalidParameterValue", () -> sqs.set(url, "RedrivePolicy", policy));
    }

    private void policies() {
        String dead = sqs.queue();
        String url = sqs.queue();
        bad(url, "{");
        bad(url, sqs.policy(dead, 0));
        bad(url, sqs.policy(dead, 1001));
        bad(url, sqs.policy(dead, 3).replace(dead.substring(dead.lastIndexOf('/') + 1), "gone"));
        bad(url, "{\"deadLetterTargetArn\":\"" + sqs.arn(dead) + "\"}");
        bad(url, sqs.policy(sqs.fifo(), 3));
        sqs.set(dead, "RedriveAllowPolicy", "{\"redrivePermission\":\"denyAll\"}");
        bad(url, sqs.policy(dead, 3));
        sqs.set(dead, "RedriveAllowPolicy", "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"" + sqs.arn(url) + "\"]}");
        sqs.set(url, "RedrivePolicy", sqs.policy(dead, 3));
        bad(sqs.queue(), sqs.policy(dead, 3));
        sqs.set(url, "RedrivePolicy", "");
        equal(c.listDeadLetterSourceQueues(r -> r.queueUrl(dead)).queueUrls(), List.of(), "sources after the policy was removed");
    }
}
