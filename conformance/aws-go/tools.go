package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/narumq/naru/conformance/check"
	"github.com/narumq/naru/conformance/sdk"
)

type suite struct {
	check.Suite
	client *sqs.Client
	serial atomic.Int64
}

func connect(ctx context.Context, opts ...func(*sqs.Options)) (*sqs.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
	if err != nil {
		return nil, err
	}
	opts = append([]func(*sqs.Options){func(o *sqs.Options) { o.HTTPClient = sdk.HTTP() }}, opts...)
	return sqs.NewFromConfig(cfg, opts...), nil
}

// failure ends a check.
type failure struct{ error }

// run counts one check; it ends at the first call of fail.
func (s *suite) run(title string, f func(*tester)) {
	s.Run(title, func(ctx context.Context) (err error) {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case failure:
				err = r.error
			default:
				panic(r)
			}
		}()
		f(&tester{suite: s, ctx: ctx})
		return nil
	})
}

// tester is what one check works with.
type tester struct {
	*suite
	ctx context.Context
}

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func must[T any](v T, err error) T {
	if err != nil {
		fail("%w", err)
	}
	return v
}

func holds(ok bool, format string, args ...any) {
	if !ok {
		fail(format, args...)
	}
}

func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %.300q, want %.300q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// modeled tells whether an error is of the SDK's own type for it.
var modeled = map[string]func(error) bool{
	"AWS.SimpleQueueService.NonExistentQueue":             is[*types.QueueDoesNotExist],
	"QueueAlreadyExists":                                  is[*types.QueueNameExists],
	"AWS.SimpleQueueService.BatchEntryIdsNotDistinct":     is[*types.BatchEntryIdsNotDistinct],
	"AWS.SimpleQueueService.BatchRequestTooLong":          is[*types.BatchRequestTooLong],
	"AWS.SimpleQueueService.EmptyBatchRequest":            is[*types.EmptyBatchRequest],
	"AWS.SimpleQueueService.InvalidBatchEntryId":          is[*types.InvalidBatchEntryId],
	"AWS.SimpleQueueService.TooManyEntriesInBatchRequest": is[*types.TooManyEntriesInBatchRequest],
	"AWS.SimpleQueueService.PurgeQueueInProgress":         is[*types.PurgeQueueInProgress],
	"AWS.SimpleQueueService.UnsupportedOperation":         is[*types.UnsupportedOperation],
	"InvalidAttributeName":                                is[*types.InvalidAttributeName],
	"InvalidAttributeValue":                               is[*types.InvalidAttributeValue],
	"InvalidMessageContents":                              is[*types.InvalidMessageContents],
	"ReceiptHandleIsInvalid":                              is[*types.ReceiptHandleIsInvalid],
	"ResourceNotFoundException":                           is[*types.ResourceNotFoundException],
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// refused fails unless the error has the code, and is of the code's type.
// Codes without a dot are short for those of AWS.SimpleQueueService.
func refused(err error, code string, contains ...string) {
	if long := "AWS.SimpleQueueService." + code; modeled[code] == nil && modeled[long] != nil {
		code = long
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		fail("got %v, want %s", err, code)
	}
	equal("code of "+api.ErrorMessage(), api.ErrorCode(), code)
	if f := modeled[code]; f != nil {
		holds(f(err), "%T is not the type of %s", api, code)
	}
	for _, text := range contains {
		holds(strings.Contains(api.ErrorMessage(), text), "%q does not say %q", api.ErrorMessage(), text)
	}
}

// status fails unless the refusal came with the HTTP status.
func status(err error, want int) {
	var response *awshttp.ResponseError
	holds(errors.As(err, &response) && response.HTTPStatusCode() == want, "HTTP status of %v is not %d", err, want)
}

func (t *tester) name(what string) string {
	return fmt.Sprintf("go-%s-%d-%d-%d", what, os.Getpid(), time.Now().UnixMilli(), t.serial.Add(1))
}

type attrs = map[string]string

func (t *tester) create(name string, a attrs) (string, error) {
	out, err := t.client.CreateQueue(t.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: a})
	if err != nil {
		return "", err
	}
	return *out.QueueUrl, nil
}

func (t *tester) queue(a attrs) string { return must(t.create(t.name("q"), a)) }

func (t *tester) fifo(a attrs) string {
	all := attrs{"FifoQueue": "true"}
	for k, v := range a {
		all[k] = v
	}
	return must(t.create(t.name("q")+".fifo", all))
}

func (t *tester) attributes(url string, names ...types.QueueAttributeName) attrs {
	return must(t.client.GetQueueAttributes(t.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})).Attributes
}

func (t *tester) attribute(url string, name types.QueueAttributeName) string {
	return t.attributes(url, name)[string(name)]
}

func (t *tester) arn(url string) string { return t.attribute(url, types.QueueAttributeNameQueueArn) }

func (t *tester) set(url string, a attrs) error {
	_, err := t.client.SetQueueAttributes(t.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: a})
	return err
}

type sendOption func(*sqs.SendMessageInput)

func delay(seconds int32) sendOption {
	return func(m *sqs.SendMessageInput) { m.DelaySeconds = seconds }
}

func group(id string) sendOption { return func(m *sqs.SendMessageInput) { m.MessageGroupId = &id } }

func dedup(id string) sendOption {
	return func(m *sqs.SendMessageInput) { m.MessageDeduplicationId = &id }
}

func with(a map[string]types.MessageAttributeValue) sendOption {
	return func(m *sqs.SendMessageInput) { m.MessageAttributes = a }
}

func (t *tester) trySend(url, body string, opts ...sendOption) (*sqs.SendMessageOutput, error) {
	in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}
	for _, o := range opts {
		o(in)
	}
	return t.client.SendMessage(t.ctx, in)
}

func (t *tester) send(url, body string, opts ...sendOption) *sqs.SendMessageOutput {
	return must(t.trySend(url, body, opts...))
}

func (t *tester) batch(url string, entries ...types.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
	for i := range entries {
		if entries[i].Id == nil {
			entries[i].Id = aws.String(fmt.Sprint(i))
		}
	}
	return t.client.SendMessageBatch(t.ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
}

type receiveOption func(*sqs.ReceiveMessageInput)

func wait(seconds int32) receiveOption {
	return func(r *sqs.ReceiveMessageInput) { r.WaitTimeSeconds = seconds }
}

func lease(seconds int32) receiveOption {
	return func(r *sqs.ReceiveMessageInput) { r.VisibilityTimeout = seconds }
}

// releasedAtOnce is what a lease of zero would be: this SDK leaves a zero out of
// the request, so the receipt is given back.
func (t *tester) releasedAtOnce(url string, n int) []types.Message {
	got := t.take(url, n)
	for _, m := range got {
		must(0, t.hide(url, m, 0))
	}
	return got
}

func asking(names ...string) receiveOption {
	return func(r *sqs.ReceiveMessageInput) { r.MessageAttributeNames = names }
}

func system(names ...types.MessageSystemAttributeName) receiveOption {
	return func(r *sqs.ReceiveMessageInput) { r.MessageSystemAttributeNames = names }
}

func (t *tester) tryReceive(url string, n int, opts ...receiveOption) ([]types.Message, error) {
	in := &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: int32(n)}
	for _, o := range opts {
		o(in)
	}
	out, err := t.client.ReceiveMessage(t.ctx, in)
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

// take receives until n messages came, and fails if they do not within 30 s.
func (t *tester) take(url string, n int, opts ...receiveOption) []types.Message {
	var out []types.Message
	opts = append([]receiveOption{wait(1)}, opts...)
	for end := time.Now().Add(30 * time.Second); len(out) < n; {
		out = append(out, must(t.tryReceive(url, min(10, n-len(out)), opts...))...)
		holds(time.Now().Before(end) || len(out) >= n, "%d of %d messages after 30 s", len(out), n)
	}
	equal("messages", len(out), n)
	return out
}

func bodies(messages []types.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, *m.Body)
	}
	return out
}

func sorted(s []string) []string {
	s = append([]string(nil), s...)
	sort.Strings(s)
	return s
}

func (t *tester) nothing(url string, opts ...receiveOption) {
	got := must(t.tryReceive(url, 10, opts...))
	equal("messages in a queue that has none to give", bodies(got), []string(nil))
}

func (t *tester) delete(url string, messages ...types.Message) {
	for _, m := range messages {
		must(0, t.tryDelete(url, *m.ReceiptHandle))
	}
}

func (t *tester) tryDelete(url, handle string) error {
	_, err := t.client.DeleteMessage(t.ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: &handle})
	return err
}

func (t *tester) hide(url string, m types.Message, seconds int32) error {
	_, err := t.client.ChangeMessageVisibility(t.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
	return err
}

func (t *tester) until(what string, ok func() bool) {
	for end := time.Now().Add(50 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		holds(time.Now().Before(end), "not within 50 s: %s", what)
	}
}
