package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/narumq/naru/conformance/leases"
)

const (
	senders      = 2
	workers      = 2
	leaseTime    = 4 * time.Second // of a message
	requestLimit = 3 * time.Second
	groupsEach   = 2 // of a sender to a FIFO queue
)

// queueScene is SQS producers and workers of one queue, and what they saw. Each of them talks to one broker until that fails, then to the next.
type queueScene struct {
	name    string
	fifo    bool
	seed    uint64
	clients []*sqs.Client
	urls    []string

	mu      sync.Mutex
	events  []*queueEvent
	gone    map[string]bool
	sent    []string
	refused []string // errors that nobody should try again after
	asked   time.Time

	stopSends, stopReads context.CancelFunc
	sends, reads         sync.WaitGroup
}

// queueEvent is an event, and of a deletion the delivery that it ends.
type queueEvent struct {
	leases.Event
	of *queueEvent
}

func newQueueScene(p *parts, name string, fifo bool, seed uint64) *queueScene {
	s := &queueScene{name: name, fifo: fifo, seed: seed, gone: map[string]bool{}}
	for _, b := range p.brokers {
		s.clients = append(s.clients, sqs.New(sqs.Options{
			BaseEndpoint: aws.String("http://" + b.aws), Region: "us-east-1", Retryer: aws.NopRetryer{},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "thing"}, nil
			}),
		}))
		s.urls = append(s.urls, "http://"+b.aws+"/000000000000/"+name)
	}
	return s
}

// caller is a client that knows which broker it talks to.
type caller struct {
	*queueScene
	at int
}

// request asks the broker whose turn it is, and the next one the next time if it fails.
func (s *caller) request(ctx context.Context, e leases.Event, call func(context.Context, *sqs.Client, *string) error) (leases.Event, error) {
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	i := s.at % len(s.clients)
	e.Queue, e.Start = s.name, time.Now().UnixNano()
	err := call(limited, s.clients[i], &s.urls[i])
	if e.Time, e.OK = time.Now().UnixNano(), err == nil; err != nil {
		s.at++
		if final(err) && e.Kind != leases.Delete { // a receipt handle may have lost its meaning
			s.mu.Lock()
			s.refused = append(s.refused, err.Error())
			s.mu.Unlock()
		}
		pause(ctx, 20*time.Millisecond)
	}
	return e, err
}

// final tells whether an answer says that it makes no sense to ask again.
func final(err error) bool {
	var answer *smithyhttp.ResponseError
	return errors.As(err, &answer) && answer.HTTPStatusCode() >= 400 && answer.HTTPStatusCode() < 500 && answer.HTTPStatusCode() != http.StatusTooManyRequests
}

func (s *queueScene) note(e *queueEvent) *queueEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind == leases.Send && e.OK {
		s.sent = append(s.sent, e.Value)
		if began := time.Unix(0, e.Start); began.After(s.asked) {
			s.asked = began
		}
	}
	if e.Kind == leases.Delete {
		s.gone[e.Value] = true
	}
	s.events = append(s.events, e)
	return e
}

func (s *queueScene) progress() (time.Time, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, "the queue " + s.name
}

func (s *queueScene) begin(ctx context.Context) error {
	attributes := map[string]string{"VisibilityTimeout": strconv.Itoa(int(leaseTime.Seconds()))}
	if s.fifo {
		attributes["FifoQueue"] = "true"
	}
	first := &caller{queueScene: s}
	err := until(ctx, 20*time.Second, func() bool {
		_, err := first.request(ctx, leases.Event{}, func(ctx context.Context, c *sqs.Client, _ *string) error {
			_, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &s.name, Attributes: attributes})
			return err
		})
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("create the queue %s: %w", s.name, err)
	}
	sends, stopSends := context.WithCancel(ctx)
	reads, stopReads := context.WithCancel(ctx)
	s.stopSends, s.stopReads = stopSends, stopReads
	for i := range senders {
		s.sends.Go(func() { s.send(sends, ctx, i) })
	}
	for i := range workers {
		w := &caller{s, senders + i}
		s.reads.Go(func() { w.work(reads, ctx, rand.New(rand.NewPCG(s.seed, uint64(100+i)))) })
	}
	return nil
}

// send sends unique values: to a standard queue each once, to a FIFO queue until it is acknowledged, which must not store it twice.
func (s *queueScene) send(sends, ctx context.Context, number int) {
	w := &caller{s, number}
	for i := 0; sends.Err() == nil; i++ {
		value, group := fmt.Sprintf("m%d-%d", number, i), ""
		in := &sqs.SendMessageInput{MessageBody: &value}
		if s.fifo {
			group = fmt.Sprintf("g%d-%d", number, i%groupsEach)
			in.MessageGroupId, in.MessageDeduplicationId = &group, &value
		}
		for again := true; again; again = s.fifo {
			e, err := w.request(ctx, leases.Event{Kind: leases.Send, Value: value, Group: group}, func(ctx context.Context, c *sqs.Client, url *string) error {
				in.QueueUrl = url
				_, err := c.SendMessage(ctx, in)
				return err
			})
			s.note(&queueEvent{Event: e})
			if err == nil || ctx.Err() != nil {
				break
			}
		}
		pause(sends, 5*time.Millisecond)
	}
}

func (s *caller) receive(ctx context.Context) (messages []types.Message, deliveries []*queueEvent, err error) {
	var out *sqs.ReceiveMessageOutput
	e := leases.Event{Kind: leases.Deliver, Lease: int64(leaseTime)}
	e, err = s.request(ctx, e, func(ctx context.Context, c *sqs.Client, url *string) (err error) {
		out, err = c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for i, m := range out.Messages {
		e.Value, e.ID, e.Place = *m.Body, *m.MessageId, i
		if e.Attempt, err = strconv.Atoi(m.Attributes["ApproximateReceiveCount"]); err != nil {
			return nil, nil, err
		}
		deliveries = append(deliveries, s.note(&queueEvent{Event: e}))
	}
	return out.Messages, deliveries, nil
}

func (s *caller) delete(ctx context.Context, m types.Message, of *queueEvent) {
	e, _ := s.request(ctx, leases.Event{Kind: leases.Delete, Value: *m.Body}, func(ctx context.Context, c *sqs.Client, url *string) error {
		_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
		return err
	})
	s.note(&queueEvent{e, of})
}

// work works off what it leases; now and then it forgets something, which comes again.
func (s *caller) work(reads, ctx context.Context, rng *rand.Rand) {
	for reads.Err() == nil {
		messages, deliveries, err := s.receive(ctx)
		if err != nil {
			continue
		}
		var each sync.WaitGroup
		for i, m := range messages {
			if rng.IntN(20) > 0 {
				one := *s
				each.Go(func() { one.delete(ctx, m, deliveries[i]) })
			}
		}
		each.Wait()
	}
}

// end waits until nearly all is worked off, and reads the rest.
func (s *queueScene) end(ctx context.Context) error {
	s.stopSends()
	s.sends.Wait()
	_ = until(ctx, endWithin, func() bool { return s.left() == 0 }) // what is missing, the judge will tell
	s.stopReads()
	s.reads.Wait()
	if !pause(ctx, leaseTime+time.Second) {
		return ctx.Err()
	}
	last := &caller{queueScene: s}
	for empty, failures := 0, 0; empty < 2; {
		messages, deliveries, err := last.receive(ctx)
		if err != nil {
			if failures++; failures > 20 {
				return err
			}
			continue
		}
		if len(messages) == 0 {
			empty++
		}
		for i, m := range messages {
			s.note(&queueEvent{Event: leases.Event{Kind: leases.Deliver, Queue: s.name, Value: *m.Body, ID: *m.MessageId, Time: time.Now().UnixNano()}})
			last.delete(ctx, m, deliveries[i])
		}
	}
	return nil
}

func (s *queueScene) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, v := range s.sent {
		if !s.gone[v] {
			n++
		}
	}
	return n
}

func (s *queueScene) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, unknown := map[leases.Kind]int{}, 0
	for _, e := range s.events {
		n[e.Kind]++
		if !e.OK {
			unknown++
		}
	}
	return fmt.Sprintf("%s: %d sends, %d deliveries, %d deletions, %d requests of unknown outcome", s.name, n[leases.Send], n[leases.Deliver], n[leases.Delete], unknown)
}
