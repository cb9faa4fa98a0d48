package main

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (s *suite) queueChecks() {
	s.run("queue: create, find, list, delete", lifecycle)
	s.run("queue: addresses follow the endpoint", addresses)
	s.run("queue: created again", again)
	s.run("queue: listed in pages", pages)
	s.run("queue: attributes", queueAttributes)
	s.run("queue: one that does not exist", unknown)
	s.run("queue: names and attributes that are refused", badQueues)
	s.run("queue: tags", tags)
	s.run("queue: permissions", permissions)
	s.run("queue: purge", purge)
	s.run("queue: counts", counts)
}

func (t *tester) find(name string) (string, error) {
	out, err := t.client.GetQueueUrl(t.ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", err
	}
	return *out.QueueUrl, nil
}

func (t *tester) list(prefix string) []string {
	return must(t.client.ListQueues(t.ctx, &sqs.ListQueuesInput{QueueNamePrefix: &prefix})).QueueUrls
}

func lifecycle(t *tester) {
	name := t.name("life")
	address := must(t.create(name, nil))
	equal("its URL", must(t.find(name)), address)
	equal("listed", t.list(name), []string{address})
	equal("ARN", t.arn(address), "arn:aws:sqs:"+os.Getenv("AWS_REGION")+":000000000000:"+name)
	must(t.client.DeleteQueue(t.ctx, &sqs.DeleteQueueInput{QueueUrl: &address}))
	_, err := t.find(name)
	refused(err, "NonExistentQueue")
	equal("listed after its deletion", len(t.list(name)), 0)
}

func addresses(t *tester) {
	endpoint := strings.TrimRight(os.Getenv("AWS_ENDPOINT_URL"), "/")
	name := t.name("q")
	address := must(t.create(name, nil))
	holds(strings.HasPrefix(address, endpoint+"/"), "%s does not begin with %s", address, endpoint)
	// Under another name of the same address, the URL is that name's.
	u := must(url.Parse(endpoint))
	other := "http://localhost:" + u.Port()
	there := *t
	there.suite = &suite{}
	there.client = sqs.New(t.client.Options(), func(o *sqs.Options) { o.BaseEndpoint = &other })
	found := must(there.find(name))
	holds(strings.HasPrefix(found, other+"/"), "%s does not begin with %s", found, other)
	t.send(address, "one name")
	equal("bodies", bodies(there.take(found, 1)), []string{"one name"})
}

func again(t *tester) {
	name := t.name("again")
	address := must(t.create(name, attrs{"VisibilityTimeout": "7"}))
	equal("the same", must(t.create(name, attrs{"VisibilityTimeout": "7"})), address)
	equal("without attributes", must(t.create(name, nil)), address)
	_, err := t.create(name, attrs{"VisibilityTimeout": "8"})
	refused(err, "QueueAlreadyExists", "VisibilityTimeout")
}

func pages(t *tester) {
	prefix := t.name("page")
	var want, got []string
	for _, i := range []string{"0", "1", "2", "3", "4", "5", "6"} {
		want = append(want, must(t.create(prefix+"-"+i, nil)))
	}
	equal("all at once", sorted(t.list(prefix)), sorted(want))
	var sizes []int
	p := sqs.NewListQueuesPaginator(t.client, &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(3)})
	for p.HasMorePages() {
		page := must(p.NextPage(t.ctx))
		sizes = append(sizes, len(page.QueueUrls))
		got = append(got, page.QueueUrls...)
	}
	equal("in pages", sorted(got), sorted(want))
	equal("page sizes", sizes, []int{3, 3, 1})
}

func queueAttributes(t *tester) {
	q := t.queue(nil)
	got := t.attributes(q, types.QueueAttributeNameAll)
	for name, want := range (attrs{"VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "MaximumMessageSize": "1048576", "ApproximateNumberOfMessages": "0",
		"ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0"}) {
		equal(name, got[name], want)
	}
	holds(got["CreatedTimestamp"] != "" && got["LastModifiedTimestamp"] != "" && got["FifoQueue"] == "" && got["RedrivePolicy"] == "", "attributes %v", got)
	change := attrs{"VisibilityTimeout": "12", "DelaySeconds": "3", "MessageRetentionPeriod": "60",
		"ReceiveMessageWaitTimeSeconds": "4", "MaximumMessageSize": "2048"}
	must(0, t.set(q, change))
	equal("after the change", t.attributes(q, "VisibilityTimeout", "DelaySeconds", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "MaximumMessageSize"), change)
	_, err := t.client.GetQueueAttributes(t.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q, AttributeNames: []types.QueueAttributeName{"NoSuchThing"}})
	refused(err, "InvalidAttributeName")
	refused(t.set(q, attrs{"NoSuchThing": "1"}), "InvalidAttributeName")
	fifo := t.attributes(t.fifo(nil), types.QueueAttributeNameAll)
	for name, want := range (attrs{"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}) {
		equal(name, fifo[name], want)
	}
}

func unknown(t *tester) {
	gone := t.queue(nil) + "-gone"
	_, err := t.find(t.name("none"))
	refused(err, "NonExistentQueue")
	_, err = t.trySend(gone, "x")
	refused(err, "NonExistentQueue")
	_, err = t.tryReceive(gone, 1)
	refused(err, "NonExistentQueue")
	refused(t.tryDelete(gone, "x"), "NonExistentQueue")
	_, err = t.client.DeleteQueue(t.ctx, &sqs.DeleteQueueInput{QueueUrl: &gone})
	refused(err, "NonExistentQueue")
	status(err, 400)
	_, err = t.client.PurgeQueue(t.ctx, &sqs.PurgeQueueInput{QueueUrl: &gone})
	refused(err, "NonExistentQueue")
}

func badQueues(t *tester) {
	for _, name := range []string{"has space", strings.Repeat("x", 81), "dot.dot", "나루"} {
		_, err := t.create(name, nil)
		refused(err, "InvalidParameterValue")
	}
	long := strings.Repeat("x", 80) + t.name("")
	must(t.create(long[len(long)-80:], nil))
	for _, a := range []attrs{{"VisibilityTimeout": "43201"}, {"VisibilityTimeout": "soon"}, {"DelaySeconds": "901"}, {"MessageRetentionPeriod": "59"},
		{"ReceiveMessageWaitTimeSeconds": "21"}, {"MaximumMessageSize": "1023"}, {"MaximumMessageSize": "1048577"}} {
		_, err := t.create(t.name("bad"), a)
		refused(err, "InvalidAttributeValue")
	}
	_, err := t.create(t.name("bad"), attrs{"NoSuchThing": "1"})
	refused(err, "InvalidAttributeName")
}

func tags(t *tester) {
	name := t.name("q")
	q := *must(t.client.CreateQueue(t.ctx, &sqs.CreateQueueInput{QueueName: &name, Tags: attrs{"env": "test", "이름": "나루"}})).QueueUrl
	list := func() attrs {
		return must(t.client.ListQueueTags(t.ctx, &sqs.ListQueueTagsInput{QueueUrl: &q})).Tags
	}
	equal("given at creation", list(), attrs{"env": "test", "이름": "나루"})
	must(t.client.TagQueue(t.ctx, &sqs.TagQueueInput{QueueUrl: &q, Tags: attrs{"env": "live", "empty": ""}}))
	equal("after a change", list(), attrs{"env": "live", "이름": "나루", "empty": ""})
	must(t.client.UntagQueue(t.ctx, &sqs.UntagQueueInput{QueueUrl: &q, TagKeys: []string{"env", "empty", "never"}}))
	equal("after a removal", list(), attrs{"이름": "나루"})
	must(t.client.UntagQueue(t.ctx, &sqs.UntagQueueInput{QueueUrl: &q, TagKeys: []string{"이름"}}))
	equal("none left", len(list()), 0)
}

func permissions(t *tester) {
	q := t.queue(nil)
	add := func() error {
		_, err := t.client.AddPermission(t.ctx, &sqs.AddPermissionInput{QueueUrl: &q, Label: aws.String("mates"),
			AWSAccountIds: []string{"111122223333"}, Actions: []string{"SendMessage", "ReceiveMessage"}})
		return err
	}
	remove := func(label string) error {
		_, err := t.client.RemovePermission(t.ctx, &sqs.RemovePermissionInput{QueueUrl: &q, Label: &label})
		return err
	}
	must(0, add())
	var policy struct {
		Statement []struct {
			Sid, Effect string
			Action      []string
		}
	}
	must(0, json.Unmarshal([]byte(t.attribute(q, types.QueueAttributeNamePolicy)), &policy))
	holds(len(policy.Statement) == 1 && policy.Statement[0].Sid == "mates" && policy.Statement[0].Effect == "Allow" && len(policy.Statement[0].Action) == 2, "policy %+v", policy)
	refused(add(), "InvalidParameterValue", "Already exists")
	refused(remove("others"), "InvalidParameterValue", "find label")
	must(0, remove("mates"))
	holds(!strings.Contains(t.attribute(q, types.QueueAttributeNamePolicy), "mates"), "the permission is still there")
}

func purge(t *tester) {
	q := t.queue(nil)
	for _, b := range []string{"a", "b", "c"} {
		t.send(q, b)
	}
	t.take(q, 1)
	must(t.client.PurgeQueue(t.ctx, &sqs.PurgeQueueInput{QueueUrl: &q}))
	t.nothing(q, wait(1))
	equal("messages left", t.attribute(q, "ApproximateNumberOfMessages"), "0")
	t.send(q, "after")
	equal("sent after the purge", bodies(t.take(q, 1)), []string{"after"})
	// Again within a minute: refused by AWS, not by everyone.
	if _, err := t.client.PurgeQueue(t.ctx, &sqs.PurgeQueueInput{QueueUrl: &q}); err != nil {
		refused(err, "PurgeQueueInProgress")
		status(err, 403)
	}
}

func counts(t *tester) {
	q := t.queue(nil)
	for _, b := range []string{"a", "b", "c", "d"} {
		t.send(q, b)
	}
	t.send(q, "later", delay(60))
	t.take(q, 1)
	got := t.attributes(q, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
	equal("ready, in flight, delayed", got, attrs{"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1"})
}
