package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

const (
	sendAtOnce  = 500
	readAtOnce  = 1_000
	sendWorkers = 8
)

// admin makes what a row needs in Naru, and looks afterwards whether it is there.
type admin struct{ *overGRPC }

// ready tells whether the server answers.
func (a admin) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return a.produce(ctx, "ready", text(0))
}

func (a admin) createTopic(ctx context.Context, name string) error {
	return a.conn.Invoke(ctx, "/naru.v1.TopicService/CreateTopic", &naruv1.CreateTopicRequest{Topic: name}, &naruv1.Topic{})
}

// createQueue makes a queue with n messages.
func (a admin) createQueue(ctx context.Context, name string, n int64) error {
	in := &naruv1.CreateQueueRequest{Queue: name, Settings: &naruv1.NewQueueSettings{Lease: durationpb.New(10 * time.Minute)}}
	if err := a.conn.Invoke(ctx, "/naru.v1.QueueService/CreateQueue", in, &naruv1.Queue{}); err != nil {
		return err
	}
	var next atomic.Int64
	_, err := closedLoop(ctx, sendWorkers, callPatience, func(ctx context.Context) (bool, error) {
		first := next.Add(sendAtOnce) - sendAtOnce
		in := &naruv1.SendRequest{Queue: name}
		for number := first; number < min(first+sendAtOnce, n); number++ {
			in.Messages = append(in.Messages, &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: text(number)}})
		}
		if len(in.Messages) == 0 {
			return false, nil
		}
		var out naruv1.SendResponse
		err := a.conn.Invoke(ctx, "/naru.v1.QueueService/Send", in, &out)
		for _, r := range out.GetResults() {
			if err == nil && r.GetError() != nil {
				err = fmt.Errorf("a message was not sent: %v", r.GetError())
			}
		}
		return true, err
	})
	return err
}

// checkTopic reads all of a topic, which must be the n records that were produced.
func (a admin) checkTopic(ctx context.Context, name string, n int64) error {
	m := newMarks(n)
	in := &naruv1.ReadRequest{Topic: name, MaxRecords: readAtOnce}
	for end := false; !end; {
		var out naruv1.ReadResponse
		if err := a.conn.Invoke(ctx, "/naru.v1.TopicService/Read", in, &out); err != nil {
			return err
		}
		for _, r := range out.GetRecords() {
			if err := m.see(r.GetText()); err != nil {
				return err
			}
		}
		in.Cursor, end = out.GetCursor(), out.GetEnd()
	}
	if got := m.count.Load(); got != n {
		return fmt.Errorf("%d records were produced, and %d are there", n, got)
	}
	return nil
}

// checkQueue requires that n messages are left.
func (a admin) checkQueue(ctx context.Context, name string, n int64) error {
	var out naruv1.Queue
	if err := a.conn.Invoke(ctx, "/naru.v1.QueueService/GetQueue", &naruv1.GetQueueRequest{Queue: name}, &out); err != nil {
		return err
	}
	s := out.GetStats()
	if left := s.GetReady() + s.GetInFlight() + s.GetDelayed(); left != n {
		return fmt.Errorf("%d messages should be left, and %d are there", n, left)
	}
	return a.conn.Invoke(ctx, "/naru.v1.QueueService/DeleteQueue", &naruv1.DeleteQueueRequest{Queue: name}, &naruv1.DeleteQueueResponse{})
}
