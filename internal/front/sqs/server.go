package sqs

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

// Account is the account that all queues are of.
const Account = "000000000000"

// Target is the part of X-Amz-Target that names the service.
const Target = "AmazonSQS"

// Server answers the calls of SQS.
type Server struct {
	b        *broker.Broker
	receipts receipts
	now      func() time.Time
	stopping context.Context // ends long polls
	stop     context.CancelFunc
}

// NewServer returns a service on a broker.
func NewServer(b *broker.Broker) *Server {
	s := &Server{b: b, receipts: newReceipts(b.ClusterID()), now: time.Now}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s
}

// Stop ends long polls: they are answered without messages.
func (s *Server) Stop() { s.stop() }

// Namespace implements aws.Service.
func (s *Server) Namespace() (shape, xml string) {
	return "com.amazonaws.sqs", "http://queue.amazonaws.com/doc/2012-11-05/"
}

// Serve implements aws.Service.
func (s *Server) Serve(ctx context.Context, c *aws.Call) ([]byte, error) {
	a, ok := actions[c.Action]
	if !ok {
		return nil, &aws.Error{Shape: "UnknownOperationException", Code: "InvalidAction", Message: "The action " + clip(c.Action) + " is not valid for this endpoint.", Common: true}
	}
	run := a.form
	if c.JSON {
		run = a.json
	}
	doc, err := run(ctx, s, c)
	if err == nil {
		return doc, nil
	}
	err = asError(err)
	var e *aws.Error
	if errors.As(err, &e) && e.Shape == "QueueDoesNotExist" && !c.JSON {
		e.Message = "The specified queue does not exist for this wsdl version."
	}
	return nil, err
}

// queueName is the last part of a queue's URL. A Query call may name the queue by
// the path that it is sent to.
func queueName(c *aws.Call, queueURL string) (string, error) {
	if queueURL == "" && !c.JSON {
		queueURL = c.Path
	}
	if u, err := url.Parse(queueURL); err == nil {
		queueURL = u.Path
	}
	name := queueURL[strings.LastIndexByte(queueURL, '/')+1:]
	if name == "" {
		return "", missingParameter("QueueUrl")
	}
	return name, nil
}

// queue finds the queue that a call names.
func (s *Server) queue(c *aws.Call, queueURL string) (*broker.Queue, error) {
	name, err := queueName(c, queueURL)
	if err != nil {
		return nil, err
	}
	return s.b.Queue(name)
}

func (s *Server) target(c *aws.Call, queueURL string) (*target, error) {
	q, err := s.queue(c, queueURL)
	if err != nil {
		return nil, err
	}
	meta := q.Meta()
	return &target{
		q: q, id: meta.ID, receipts: s.receipts, trace: c.Trace, now: s.now, stopping: s.stopping,
		arn: func(name string) string { return arnOf(c, name) },
		rules: queueRules{
			ordered: meta.Settings.Ordered, dedupByContent: meta.Settings.DedupByContent, bytesMax: int(meta.Settings.MessageBytesMax),
		},
	}, nil
}

func urlOf(c *aws.Call, name string) string { return c.Base + "/" + Account + "/" + name }

func arnOf(c *aws.Call, name string) string {
	return "arn:aws:sqs:" + c.Region + ":" + Account + ":" + name
}

// nameOfARN is the queue that an ARN names.
func nameOfARN(arn string) (string, bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" || parts[5] == "" {
		return "", false
	}
	return parts[5], true
}

// shapes are the errors whose names differ in the two protocols: by the name in
// Query.
var shapes = map[string]string{
	"AWS.SimpleQueueService.BatchEntryIdsNotDistinct":     "BatchEntryIdsNotDistinct",
	"AWS.SimpleQueueService.BatchRequestTooLong":          "BatchRequestTooLong",
	"AWS.SimpleQueueService.EmptyBatchRequest":            "EmptyBatchRequest",
	"AWS.SimpleQueueService.InvalidBatchEntryId":          "InvalidBatchEntryId",
	"AWS.SimpleQueueService.MessageNotInflight":           "MessageNotInflight",
	"AWS.SimpleQueueService.NonExistentQueue":             "QueueDoesNotExist",
	"AWS.SimpleQueueService.TooManyEntriesInBatchRequest": "TooManyEntriesInBatchRequest",
	"AWS.SimpleQueueService.UnsupportedOperation":         "UnsupportedOperation",
	"QueueAlreadyExists":                                  "QueueNameExists",
}

// commonShapes are errors that SQS's model does not list.
var commonShapes = map[string]string{
	"InvalidParameterValue": "InvalidParameterValueException",
	"MissingParameter":      "MissingRequiredParameterException",
	"InternalError":         "InternalFailure",
	"AccessDenied":          "AccessDeniedException",
	"ServiceUnavailable":    "ServiceUnavailableException",
}

// asError puts an error into SQS's words: ours by their code, the broker's by
// sentinel where SQS is finer, else by code.
func asError(err error) error {
	var done *aws.Error
	var p *problem
	switch {
	case errors.As(err, &done):
		return done
	case errors.As(err, &p):
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, catalog.ErrUnknownQueue), errors.Is(err, broker.ErrQueueDeleted):
		p = &problem{"AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}
	case errors.Is(err, catalog.ErrQueueExists):
		p = &problem{"QueueAlreadyExists", "A queue already exists with the same name and a different value for an attribute."}
	case errors.Is(err, broker.ErrInFlightLimit), errors.Is(err, catalog.ErrLimit):
		p = &problem{"OverLimit", err.Error()}
	case errors.Is(err, record.ErrTooLarge):
		p = &problem{"InvalidParameterValue", err.Error()}
	case errors.Is(err, broker.ErrUnknownRedrive), errors.Is(err, broker.ErrRedriveEnded):
		p = &problem{"ResourceNotFoundException", "The task does not exist, or is not running."}
	default:
		p = problemOf(fault.CodeOf(err), err)
	}
	e := &aws.Error{Shape: p.code, Code: p.code, Message: p.text}
	if shape, ok := shapes[p.code]; ok {
		e.Shape = shape
	} else if shape, ok := commonShapes[p.code]; ok {
		e.Shape, e.Common = shape, true
	}
	switch p.code {
	case "InternalError":
		e.Fault = true
	case "OverLimit", "AccessDenied":
		e.Status = 403
	case "ReceiptHandleIsInvalid", "ResourceNotFoundException":
		e.Status = 404
	case "ServiceUnavailable":
		e.Fault, e.Status = true, 503
	}
	return e
}

// problemOf is for errors that are nothing special to SQS.
func problemOf(code fault.Code, err error) *problem {
	switch code {
	case fault.InvalidArgument, fault.OutOfRange, fault.AlreadyExists:
		return &problem{"InvalidParameterValue", err.Error()}
	case fault.NotFound:
		return &problem{"ResourceNotFoundException", err.Error()}
	case fault.FailedPrecondition:
		return &problem{"AWS.SimpleQueueService.UnsupportedOperation", err.Error()}
	case fault.PermissionDenied:
		return &problem{"AccessDenied", err.Error()}
	case fault.ResourceExhausted: // a full disk; clients try again after a 503
		return &problem{"ServiceUnavailable", err.Error()}
	case fault.Unavailable, fault.DeadlineExceeded, fault.Canceled, fault.Aborted:
		return &problem{"ServiceUnavailable", err.Error()}
	case fault.Unimplemented:
		return &problem{"AWS.SimpleQueueService.UnsupportedOperation", err.Error()}
	}
	return &problem{"InternalError", err.Error()}
}
