package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/narumq/naru/conformance/leases"
	"github.com/narumq/naru/conformance/lives"
	"github.com/narumq/naru/conformance/sdk"
)

const (
	groups      = 6 // of the FIFO queue, one producer each
	producers   = 3 // of the standard queue
	consumers   = 3 // of each queue
	leaseTime   = 2 * time.Second
	attemptsMax = 4
)

// queue is one of the four: two, and their dead-letter queues.
type queue struct {
	name string
	url  string
	dead bool
	fifo bool
}

// scene is the clients and what they saw.
type scene struct {
	srv    *lives.Server
	seed   uint64
	client *sqs.Client
	queues []*queue // standard, FIFO, and the dead letters of each

	mu     sync.Mutex
	events []leases.Event
	gone   map[string]bool // values whose deletion was asked for, and dead letters
	sent   []string        // values that were acknowledged

	stopSends context.CancelFunc
	sends     sync.WaitGroup
	stopReads context.CancelFunc
	reads     sync.WaitGroup
}

func newScene(srv *lives.Server, seed uint64) *scene {
	client := sqs.New(sqs.Options{
		BaseEndpoint: aws.String("http://" + srv.Addr), Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: sdk.HTTP(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "thing"}, nil
		}),
	})
	return &scene{srv: srv, seed: seed, client: client, gone: map[string]bool{}}
}

func (s *scene) create(ctx context.Context) error {
	for _, name := range []string{"dead", "dead.fifo", "work", "work.fifo"} {
		q := &queue{name: name, dead: strings.HasPrefix(name, "dead"), fifo: strings.HasSuffix(name, ".fifo")}
		attributes := map[string]string{"VisibilityTimeout": strconv.Itoa(int(leaseTime.Seconds()))}
		if q.fifo {
			attributes["FifoQueue"] = "true"
		}
		if !q.dead {
			attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:%s","maxReceiveCount":%d}`,
				strings.Replace(name, "work", "dead", 1), attemptsMax)
		}
		out, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			return err
		}
		q.url = *out.QueueUrl
		s.queues = append(s.queues, q)
	}
	return nil
}

// request notes the times and the server's life around a call: an answer is of
// the life in which its request went out, because a connection ends with a life.
func (s *scene) request(e leases.Event, call func() error) (leases.Event, error) {
	life := s.srv.Life()
	e.Start = time.Now().UnixNano()
	err := call()
	e.Time = time.Now().UnixNano()
	e.Life, e.OK = life, err == nil
	if s.srv.Life() != life {
		e.Life = leases.UnknownLife // the server died before the request went out, or after the answer
	}
	return e, err
}

func (s *scene) note(events ...leases.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		switch {
		case e.Kind == leases.Send && e.OK:
			s.sent = append(s.sent, e.Value)
		case e.Kind == leases.Delete, e.Kind == leases.Deliver && e.Dead:
			s.gone[e.Value] = true
		}
	}
	s.events = append(s.events, events...)
}

// begin starts all clients.
func (s *scene) begin(ctx context.Context) {
	sends, stopSends := context.WithCancel(ctx)
	reads, stopReads := context.WithCancel(ctx)
	s.stopSends, s.stopReads = stopSends, stopReads
	for _, q := range s.queues {
		for i := range consumers {
			if q.dead && i > 0 {
				continue
			}
			s.reads.Go(func() { s.consume(reads, ctx, q, rand.New(rand.NewPCG(s.seed, uint64(100+i)))) })
		}
		if q.dead {
			continue
		}
		n := producers
		if q.fifo {
			n = groups
		}
		for i := range n {
			s.sends.Go(func() { s.produce(sends, ctx, q, i) })
		}
	}
}

// produce sends unique values until sends ends. To a FIFO queue each is sent
// until it is acknowledged, with one id; to a standard queue once.
func (s *scene) produce(sends, ctx context.Context, q *queue, number int) {
	rng := rand.New(rand.NewPCG(s.seed, uint64(number)))
	pad := strings.Repeat("나루", 300)
	for i := 0; sends.Err() == nil; i++ {
		value := fmt.Sprintf("%s-%d-%d", q.name, number, i)
		body := value + " " + pad[:3*rng.IntN(len(pad)/3)]
		in := &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body}
		e := leases.Event{Kind: leases.Send, Queue: q.name, Value: value}
		if q.fifo {
			e.Group = fmt.Sprint("g", number)
			in.MessageGroupId, in.MessageDeduplicationId = &e.Group, &value
		}
		for ctx.Err() == nil {
			done, err := s.request(e, func() error { return s.send(ctx, in) })
			s.note(done)
			if err == nil || !q.fifo {
				break
			}
			lives.Sleep(ctx, 20*time.Millisecond)
		}
		lives.Sleep(sends, time.Duration(rng.IntN(20))*time.Millisecond)
	}
}

func (s *scene) send(ctx context.Context, in *sqs.SendMessageInput) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := s.client.SendMessage(ctx, in)
	return err
}

// receive leases messages and notes them.
func (s *scene) receive(ctx context.Context, q *queue, wait int32) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var out *sqs.ReceiveMessageOutput
	e := leases.Event{Kind: leases.Deliver, Queue: q.name, Dead: q.dead, Lease: int64(leaseTime)}
	e, err := s.request(e, func() (err error) {
		out, err = s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, m := range out.Messages {
		e.Value, e.ID, e.Place = valueOf(m), *m.MessageId, i
		e.Attempt, err = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
		if err != nil {
			return nil, err
		}
		s.note(e)
	}
	return out.Messages, nil
}

func valueOf(m types.Message) string {
	value, _, _ := strings.Cut(*m.Body, " ")
	return value
}

// poison tells whether a value is never worked off, so that it is dead-lettered.
func poison(value string) bool { return strings.HasSuffix(value, "13") }

// consume works off what it leases: most is deleted, some is given back or
// forgotten, poison always.
func (s *scene) consume(reads, ctx context.Context, q *queue, rng *rand.Rand) {
	for reads.Err() == nil {
		messages, err := s.receive(ctx, q, 1)
		if err != nil {
			lives.Sleep(ctx, 20*time.Millisecond)
			continue
		}
		began := time.Now()
		for _, m := range messages {
			if time.Since(began) > leaseTime/2 {
				break // what is left will come again
			}
			switch n := rng.IntN(20); {
			case n == 0 && q.dead, !q.dead && (n == 0 || poison(valueOf(m)) && n < 12):
				s.change(ctx, q, m, 0)
			case n == 1, !q.dead && poison(valueOf(m)):
				// forgotten
			default:
				s.delete(ctx, q, m)
			}
			if q.fifo && (rng.IntN(20) < 2) {
				break
			}
		}
	}
}

func (s *scene) delete(ctx context.Context, q *queue, m types.Message) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	e, _ := s.request(leases.Event{Kind: leases.Delete, Queue: q.name, Value: valueOf(m)}, func() error {
		_, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: m.ReceiptHandle})
		return err
	})
	s.note(e)
}

func (s *scene) change(ctx context.Context, q *queue, m types.Message, seconds int32) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	e := leases.Event{Kind: leases.Change, Queue: q.name, Value: valueOf(m), Lease: int64(seconds) * int64(time.Second)}
	e, _ = s.request(e, func() error {
		_, err := s.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
		return err
	})
	s.note(e)
}
