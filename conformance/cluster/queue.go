package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/narumq/naru/conformance/leases"
)

const (
	queueName = "work"
	senders   = 2
	workers   = 2
	leaseTime = 4 * time.Second // of a message
	// sendLives keeps sends apart from deliveries: that a send was acknowledged does not prove that a delivery before it is durable.
	// What a delivery changes is written, and not waited for, when the queue's write before it has ended.
	sendLives = 1000
)

// queueScene is SQS producers and workers, and what they saw. Each client asks one broker until that fails, then the next.
type queueScene struct {
	clients []*sqs.Client
	urls    []string
	seed    uint64
	at      atomic.Int64    // which broker
	lives   [3]atomic.Int64 // how often each broker suffered

	mu     sync.Mutex
	events []leases.Event
	gone   map[string]bool
	sent   []string

	stopSends, stopReads context.CancelFunc
	sends, reads         sync.WaitGroup
}

func newQueueScene(p *parts, seed uint64) *queueScene {
	s := &queueScene{seed: seed, gone: map[string]bool{}}
	for _, b := range p.brokers {
		s.clients = append(s.clients, sqs.New(sqs.Options{
			BaseEndpoint: aws.String("http://" + b.aws), Region: "us-east-1", Retryer: aws.NopRetryer{},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "thing"}, nil
			}),
		}))
		s.urls = append(s.urls, "http://"+b.aws+"/000000000000/"+queueName)
	}
	return s
}

// life is a number of a broker's time between two of its sufferings: of one ownership, or a part of it.
func (s *queueScene) life(i int) int { return i + len(s.lives)*int(s.lives[i].Load()) }

// request asks the broker whose turn it is, and the next one the next time if it fails.
func (s *queueScene) request(ctx context.Context, e leases.Event, call func(context.Context, *sqs.Client, *string) error) (leases.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	at := s.at.Load()
	i := int(at) % len(s.clients)
	e.Life, e.Start = s.life(i), time.Now().UnixNano()
	err := call(ctx, s.clients[i], &s.urls[i])
	if e.Time, e.OK = time.Now().UnixNano(), err == nil; err != nil {
		s.at.CompareAndSwap(at, at+1)
		pause(ctx, 20*time.Millisecond)
	}
	return e, err
}

func (s *queueScene) note(e leases.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind == leases.Send && e.OK {
		s.sent = append(s.sent, e.Value)
	}
	if e.Kind == leases.Delete {
		s.gone[e.Value] = true
	}
	s.events = append(s.events, e)
}

func (s *queueScene) begin(ctx context.Context) error {
	attributes := map[string]string{"VisibilityTimeout": strconv.Itoa(int(leaseTime.Seconds()))}
	err := until(ctx, 10*time.Second, func() bool {
		_, err := s.request(ctx, leases.Event{}, func(ctx context.Context, c *sqs.Client, _ *string) error {
			_, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(queueName), Attributes: attributes})
			return err
		})
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("create the queue: %w", err)
	}
	sends, stopSends := context.WithCancel(ctx)
	reads, stopReads := context.WithCancel(ctx)
	s.stopSends, s.stopReads = stopSends, stopReads
	for i := range senders {
		s.sends.Go(func() { s.send(sends, ctx, i) })
	}
	for i := range workers {
		s.reads.Go(func() { s.work(reads, ctx, rand.New(rand.NewPCG(s.seed, uint64(100+i)))) })
	}
	return nil
}

// send sends unique values, each once.
func (s *queueScene) send(sends, ctx context.Context, number int) {
	for i := 0; sends.Err() == nil; i++ {
		value := fmt.Sprintf("m%d-%d", number, i)
		e, _ := s.request(ctx, leases.Event{Kind: leases.Send, Queue: queueName, Value: value}, func(ctx context.Context, c *sqs.Client, url *string) error {
			_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &value})
			return err
		})
		e.Life += sendLives
		s.note(e)
		pause(sends, 5*time.Millisecond)
	}
}

func (s *queueScene) receive(ctx context.Context) (messages []types.Message, life int, err error) {
	var out *sqs.ReceiveMessageOutput
	e := leases.Event{Kind: leases.Deliver, Queue: queueName, Lease: int64(leaseTime)}
	e, err = s.request(ctx, e, func(ctx context.Context, c *sqs.Client, url *string) (err error) {
		out, err = c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	for i, m := range out.Messages {
		e.Value, e.ID, e.Place = *m.Body, *m.MessageId, i
		if e.Attempt, err = strconv.Atoi(m.Attributes["ApproximateReceiveCount"]); err != nil {
			return nil, 0, err
		}
		s.note(e)
	}
	return out.Messages, e.Life, nil
}

// delete deletes a message by the handle of a delivery in that life. Another owner that never heard of the delivery accepts the
// handle, as SQS accepts an old one, and deletes nothing: so that is no promise.
func (s *queueScene) delete(ctx context.Context, m types.Message, life int) {
	e, _ := s.request(ctx, leases.Event{Kind: leases.Delete, Queue: queueName, Value: *m.Body}, func(ctx context.Context, c *sqs.Client, url *string) error {
		_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
		return err
	})
	e.OK = e.OK && e.Life == life
	s.note(e)
}

// work works off what it leases; now and then it forgets something, which comes again.
func (s *queueScene) work(reads, ctx context.Context, rng *rand.Rand) {
	for reads.Err() == nil {
		messages, life, err := s.receive(ctx)
		if err != nil {
			continue
		}
		for _, m := range messages {
			if rng.IntN(20) > 0 {
				s.delete(ctx, m, life)
			}
		}
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
	for empty, failures := 0, 0; empty < 2; {
		messages, life, err := s.receive(ctx)
		if err != nil {
			if failures++; failures > 20 {
				return err
			}
			continue
		}
		if len(messages) == 0 {
			empty++
		}
		for _, m := range messages {
			s.note(leases.Event{Kind: leases.Deliver, Queue: queueName, Value: *m.Body, ID: *m.MessageId, Time: time.Now().UnixNano()})
			s.delete(ctx, m, life)
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
	return fmt.Sprintf("sqs: %d sends, %d deliveries, %d deletions, %d requests of unknown outcome", n[leases.Send], n[leases.Deliver], n[leases.Delete], unknown)
}
