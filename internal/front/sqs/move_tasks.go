package sqs

import (
	"context"
	"errors"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/front/aws"
)

// StartMessageMoveTask, CancelMessageMoveTask, ListMessageMoveTasks: redrives of
// the broker. A task goes on after a restart. Messages keep their ids.

func init() {
	simple("StartMessageMoveTask", startMoveTask)
	simple("CancelMessageMoveTask", cancelMoveTask)
	simple("ListMessageMoveTasks", listMoveTasks)
}

const moveRateMax = 500

func noResource(parameter string) error {
	return &problem{"ResourceNotFoundException", "The resource that you specified for the " + parameter + " parameter doesn't exist."}
}

// queueOfARN finds the queue that a parameter names by its ARN.
func (s *Server) queueOfARN(parameter, arn string) (string, error) {
	name, ok := nameOfARN(arn)
	if !ok {
		return "", invalidParameter(parameter, clip(arn), "It is not the ARN of a queue.")
	}
	if _, err := s.b.Queue(name); err != nil {
		return "", noResource(parameter)
	}
	return name, nil
}

type startMoveIn struct {
	SourceArn                    string
	DestinationArn               string
	MaxNumberOfMessagesPerSecond *int64
}

type taskOut struct{ TaskHandle string }

func startMoveTask(_ context.Context, s *Server, _ *aws.Call, in *startMoveIn) (*taskOut, error) {
	if in.SourceArn == "" {
		return nil, missingParameter("SourceArn")
	}
	from, err := s.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	spec := broker.RedriveSpec{From: from}
	if len(s.b.DeadLetterSources(from)) == 0 {
		return nil, invalidValue("Source queue must be configured as a Dead Letter Queue.")
	}
	if in.DestinationArn != "" {
		if spec.To, err = s.queueOfARN("DestinationArn", in.DestinationArn); err != nil {
			return nil, err
		}
	}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if *n < 1 || *n > moveRateMax {
			return nil, invalidParameter("MaxNumberOfMessagesPerSecond", *n, "Must be between 1 and 500, if provided.")
		}
		spec.PerSecond = int32(*n)
	}
	task, err := s.b.StartRedrive(spec)
	if errors.Is(err, broker.ErrRedriveRunning) {
		return nil, &problem{"AWS.SimpleQueueService.UnsupportedOperation", "There is already a task running. Only one active task is allowed for a source queue arn at a given time."}
	}
	if err != nil {
		return nil, err
	}
	return &taskOut{task.ID}, nil
}

type cancelMoveOut struct{ ApproximateNumberOfMessagesMoved int64 }

func cancelMoveTask(_ context.Context, s *Server, _ *aws.Call, in *taskOut) (*cancelMoveOut, error) {
	if in.TaskHandle == "" {
		return nil, missingParameter("TaskHandle")
	}
	task, err := s.b.CancelRedrive(in.TaskHandle)
	if errors.Is(err, broker.ErrUnknownRedrive) || errors.Is(err, broker.ErrRedriveEnded) {
		return nil, noResource("TaskHandle")
	}
	if err != nil {
		return nil, err
	}
	return &cancelMoveOut{task.Moved}, nil
}

type listMoveIn struct {
	SourceArn  string
	MaxResults *int64
}

type listMoveOut struct {
	Results []moveTask `element:"ListMessageMoveTasksResultEntry"`
}

type moveTask struct {
	TaskHandle                        string `json:",omitempty"` // while it runs
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      *int64 `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int64
	ApproximateNumberOfMessagesToMove *int64 `json:",omitempty"`
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // milliseconds
}

func listMoveTasks(_ context.Context, s *Server, c *aws.Call, in *listMoveIn) (*listMoveOut, error) {
	limit := int64(1)
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > 10 {
			return nil, invalidParameter("MaxResults", limit, "Must be between 1 and 10, if provided.")
		}
	}
	from, err := s.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	out := &listMoveOut{Results: []moveTask{}}
	for _, t := range s.b.Redrives(from) {
		if int64(len(out.Results)) == limit {
			break
		}
		m := moveTask{
			Status: strings.ToUpper(string(t.State)), SourceArn: arnOf(c, t.From), ApproximateNumberOfMessagesMoved: t.Moved,
			ApproximateNumberOfMessagesToMove: &t.ToMove, FailureReason: t.Failure, StartedTimestamp: t.StartedAt,
		}
		if t.State == broker.RedriveRunning {
			m.TaskHandle = t.ID
		}
		if t.To != "" {
			m.DestinationArn = arnOf(c, t.To)
		}
		if t.PerSecond > 0 {
			n := int64(t.PerSecond)
			m.MaxNumberOfMessagesPerSecond = &n
		}
		out.Results = append(out.Results, m)
	}
	return out, nil
}
