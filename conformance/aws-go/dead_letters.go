package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (s *suite) deadLetterChecks() {
	s.run("dead letter: after two receives", deadLetter)
	s.run("dead letter: moved back, and elsewhere", moveTask)
	s.run("dead letter: policies that are refused", redrivePolicies)
}

func (t *tester) policy(dead string, attempts int) string {
	return fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":%d}`, t.arn(dead), attempts)
}

func (t *tester) sources(dead string) []string {
	return must(t.client.ListDeadLetterSourceQueues(t.ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &dead})).QueueUrls
}

func deadLetter(t *tester) {
	dead := t.queue(nil)
	q := t.queue(attrs{"VisibilityTimeout": "1", "RedrivePolicy": t.policy(dead, 2)})
	sent := t.send(q, "poison", with(map[string]types.MessageAttributeValue{"k": str("값")}))
	t.releasedAtOnce(q, 1)
	t.releasedAtOnce(q, 1)
	t.nothing(q, wait(1))
	m := t.take(dead, 1, system("All"), asking("All"))[0]
	equal("body", *m.Body, "poison")
	equal("attribute", *m.MessageAttributes["k"].StringValue, "값")
	equal("where it came from", m.Attributes["DeadLetterQueueSourceArn"], t.arn(q))
	equal("its id", *m.MessageId, *sent.MessageId)
	equal("sources", t.sources(dead), []string{q})
	t.nothing(q)
}

func (t *tester) task(dead string) types.ListMessageMoveTasksResultEntry {
	out := must(t.client.ListMessageMoveTasks(t.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(t.arn(dead)), MaxResults: aws.Int32(10)}))
	holds(len(out.Results) > 0, "no move task is listed")
	return out.Results[0]
}

func (t *tester) start(dead string, f func(*sqs.StartMessageMoveTaskInput)) (string, error) {
	in := &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(dead)}
	if f != nil {
		f(in)
	}
	out, err := t.client.StartMessageMoveTask(t.ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.TaskHandle), nil
}

func moveTask(t *tester) {
	dead, other := t.queue(nil), t.queue(nil)
	q := t.queue(attrs{"RedrivePolicy": t.policy(dead, 1)})
	bury := func(n int) {
		for i := range n {
			t.send(q, fmt.Sprint("m", i))
		}
		t.releasedAtOnce(q, n)
		t.nothing(q, wait(1))
		t.until("dead letters", func() bool { return t.attribute(dead, "ApproximateNumberOfMessages") == fmt.Sprint(n) })
	}
	bury(5)
	must(t.start(t.arn(dead), nil))
	equal("back at the source", sorted(bodies(t.take(q, 5))), []string{"m0", "m1", "m2", "m3", "m4"})
	t.until("the task is over", func() bool { return *t.task(dead).Status == "COMPLETED" })
	equal("moved", t.task(dead).ApproximateNumberOfMessagesMoved, int64(5))
	bury(20)
	handle := must(t.start(t.arn(dead), func(in *sqs.StartMessageMoveTaskInput) {
		in.DestinationArn, in.MaxNumberOfMessagesPerSecond = aws.String(t.arn(other)), aws.Int32(1)
	}))
	t.take(other, 1)
	t.until("it is counted", func() bool { return t.task(dead).ApproximateNumberOfMessagesMoved >= 1 })
	running := t.task(dead)
	equal("task", []string{*running.Status, *running.DestinationArn, *running.TaskHandle}, []string{"RUNNING", t.arn(other), handle})
	_, err := t.start(t.arn(dead), nil)
	refused(err, "UnsupportedOperation")
	out := must(t.client.CancelMessageMoveTask(t.ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: &handle}))
	holds(out.ApproximateNumberOfMessagesMoved >= 1 && out.ApproximateNumberOfMessagesMoved < 20, "%d were moved before the end", out.ApproximateNumberOfMessagesMoved)
	t.until("the task is called off", func() bool { return *t.task(dead).Status == "CANCELLED" })
	_, err = t.start(t.arn(dead)+"-gone", nil)
	refused(err, "ResourceNotFoundException")
	status(err, 404)
	_, err = t.start(t.arn(other), nil)
	refused(err, "InvalidParameterValue")
}

func redrivePolicies(t *tester) {
	dead, q := t.queue(nil), t.queue(nil)
	bad := func(on, value string) { refused(t.set(on, attrs{"RedrivePolicy": value}), "InvalidParameterValue") }
	bad(q, "{")
	bad(q, t.policy(dead, 0))
	bad(q, t.policy(dead, 1001))
	bad(q, strings.ReplaceAll(t.policy(dead, 3), path.Base(dead), "gone"))
	bad(q, fmt.Sprintf(`{"deadLetterTargetArn":"%s"}`, t.arn(dead)))
	bad(q, t.policy(t.fifo(nil), 3))
	must(0, t.set(dead, attrs{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`}))
	bad(q, t.policy(dead, 3))
	must(0, t.set(dead, attrs{"RedriveAllowPolicy": fmt.Sprintf(`{"redrivePermission":"byQueue","sourceQueueArns":["%s"]}`, t.arn(q))}))
	must(0, t.set(q, attrs{"RedrivePolicy": t.policy(dead, 3)}))
	bad(t.queue(nil), t.policy(dead, 3))
	must(0, t.set(q, attrs{"RedrivePolicy": ""}))
	equal("sources after the policy was removed", len(t.sources(dead)), 0)
}
