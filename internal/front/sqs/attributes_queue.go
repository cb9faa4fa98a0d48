package sqs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// labelPrefix is before the names of attributes that Naru only keeps.
const labelPrefix = "sqs."

// queueAttribute is an attribute of queues. get returns "" for one that is not
// there.
type queueAttribute struct {
	fifoOnly bool
	get      func(x *attributeView) string
	set      func(x *attributeEdit, value string) error // nil: it cannot be set
}

// attributeView is a queue as its attributes show it.
type attributeView struct {
	c    *aws.Call
	q    *broker.Queue
	meta *catalog.Queue
	st   *broker.QueueStats
}

func (x *attributeView) stats() *broker.QueueStats {
	if x.st == nil {
		st := x.q.Stats()
		x.st = &st
	}
	return x.st
}

// attributeEdit is a queue that attributes are being set of.
type attributeEdit struct {
	find func(name string) (*catalog.Queue, error) // another queue
	c    *aws.Call
	spec *catalog.QueueSpec
}

func invalidAttribute(name string) error {
	return &problem{"InvalidAttributeValue", "Invalid value for the parameter " + name + "."}
}

func unknownAttribute(name string) error {
	return &problem{"InvalidAttributeName", "Unknown Attribute " + clip(name) + "."}
}

// seconds is an attribute that is a time.
func seconds(name string, low, high int64, field func(*catalog.QueueSettings) *time.Duration) queueAttribute {
	return queueAttribute{
		get: func(x *attributeView) string {
			set := x.meta.Settings
			return strconv.FormatInt(int64(*field(&set)/time.Second), 10)
		},
		set: func(x *attributeEdit, value string) error {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < low || n > high {
				return invalidAttribute(name)
			}
			*field(&x.spec.Settings) = time.Duration(n) * time.Second
			return nil
		},
	}
}

func count(f func(*broker.QueueStats) int64) queueAttribute {
	return queueAttribute{get: func(x *attributeView) string { return strconv.FormatInt(f(x.stats()), 10) }}
}

func timestamp(f func(*catalog.Queue) int64) queueAttribute {
	return queueAttribute{get: func(x *attributeView) string { return strconv.FormatInt(f(x.meta)/1000, 10) }}
}

// kept is an attribute that Naru keeps and shows, and that changes nothing.
func kept(name string, check func(string) bool) queueAttribute {
	return queueAttribute{
		get: func(x *attributeView) string { return x.meta.Labels[labelPrefix+name] },
		set: func(x *attributeEdit, value string) error {
			if value == "" {
				delete(x.spec.Labels, labelPrefix+name)
				return nil
			}
			if check != nil && !check(value) {
				return invalidAttribute(name)
			}
			x.spec.Labels[labelPrefix+name] = value
			return nil
		},
	}
}

func isBool(v string) bool { return v == "true" || v == "false" }

func isObject(v string) bool {
	var m map[string]any
	return json.Unmarshal([]byte(v), &m) == nil
}

var queueAttributes = map[string]queueAttribute{
	"VisibilityTimeout":             seconds("VisibilityTimeout", 0, 43_200, func(s *catalog.QueueSettings) *time.Duration { return &s.Lease }),
	"DelaySeconds":                  seconds("DelaySeconds", 0, 900, func(s *catalog.QueueSettings) *time.Duration { return &s.Delay }),
	"ReceiveMessageWaitTimeSeconds": seconds("ReceiveMessageWaitTimeSeconds", 0, 20, func(s *catalog.QueueSettings) *time.Duration { return &s.Wait }),
	"MessageRetentionPeriod":        seconds("MessageRetentionPeriod", 60, 1_209_600, func(s *catalog.QueueSettings) *time.Duration { return &s.Retention }),
	"MaximumMessageSize":            {get: getMaximumSize, set: setMaximumSize},
	"RedrivePolicy":                 {get: getRedrivePolicy, set: setRedrivePolicy},
	"RedriveAllowPolicy":            kept("RedriveAllowPolicy", validAllowPolicy),
	"Policy":                        kept("Policy", isObject),
	"KmsMasterKeyId":                kept("KmsMasterKeyId", nil),
	"KmsDataKeyReusePeriodSeconds": kept("KmsDataKeyReusePeriodSeconds", func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && n >= 60 && n <= 86_400
	}),
	"SqsManagedSseEnabled":      kept("SqsManagedSseEnabled", isBool),
	"FifoQueue":                 {fifoOnly: true, get: func(*attributeView) string { return "true" }},
	"ContentBasedDeduplication": {fifoOnly: true, get: func(x *attributeView) string { return strconv.FormatBool(x.meta.Settings.DedupByContent) }, set: setContentBased},
	"DeduplicationScope":        {fifoOnly: true, get: getDedupScope, set: setDedupScope},
	"FifoThroughputLimit":       {fifoOnly: true, get: getThroughput, set: setThroughput},

	"ApproximateNumberOfMessages":           count(func(s *broker.QueueStats) int64 { return s.Ready }),
	"ApproximateNumberOfMessagesNotVisible": count(func(s *broker.QueueStats) int64 { return s.InFlight }),
	"ApproximateNumberOfMessagesDelayed":    count(func(s *broker.QueueStats) int64 { return s.Delayed }),
	"CreatedTimestamp":                      timestamp(func(q *catalog.Queue) int64 { return q.CreatedAt }),
	"LastModifiedTimestamp":                 timestamp(func(q *catalog.Queue) int64 { return q.ChangedAt }),
	"QueueArn":                              {get: func(x *attributeView) string { return arnOf(x.c, x.meta.Name) }},
}

func getMaximumSize(x *attributeView) string {
	return strconv.Itoa(int(x.meta.Settings.MessageBytesMax))
}

func setMaximumSize(x *attributeEdit, value string) error {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1_024 || n > 1<<20 {
		return invalidAttribute("MaximumMessageSize")
	}
	x.spec.Settings.MessageBytesMax = int32(n)
	return nil
}

func setContentBased(x *attributeEdit, value string) error {
	if !isBool(value) {
		return invalidAttribute("ContentBasedDeduplication")
	}
	x.spec.Settings.DedupByContent = value == "true"
	return nil
}

func getDedupScope(x *attributeView) string {
	if x.meta.Settings.Dedup == catalog.DedupGroup {
		return "messageGroup"
	}
	return "queue"
}

func setDedupScope(x *attributeEdit, value string) error {
	switch value {
	case "messageGroup":
		x.spec.Settings.Dedup = catalog.DedupGroup
	case "queue":
		x.spec.Settings.Dedup = catalog.DedupQueue
	default:
		return invalidAttribute("DeduplicationScope")
	}
	return nil
}

func getThroughput(x *attributeView) string {
	if x.meta.Settings.PerGroupThroughput {
		return "perMessageGroupId"
	}
	return "perQueue"
}

func setThroughput(x *attributeEdit, value string) error {
	if value != "perQueue" && value != "perMessageGroupId" {
		return invalidAttribute("FifoThroughputLimit")
	}
	x.spec.Settings.PerGroupThroughput = value == "perMessageGroupId"
	return nil
}

type redrivePolicy struct {
	DeadLetterTargetArn string          `json:"deadLetterTargetArn"`
	MaxReceiveCount     json.RawMessage `json:"maxReceiveCount"`
}

func getRedrivePolicy(x *attributeView) string {
	set := &x.meta.Settings
	if set.DeadLetter == "" {
		return ""
	}
	return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, arnOf(x.c, set.DeadLetter), set.AttemptsMax)
}

// setRedrivePolicy takes maxReceiveCount as a number or as text, as SQS does.
func setRedrivePolicy(x *attributeEdit, value string) error {
	set := &x.spec.Settings
	if value == "" {
		set.DeadLetter, set.AttemptsMax = "", 0
		return nil
	}
	bad := func(reason string) error { return invalidParameter("RedrivePolicy", clip(value), reason) }
	var p redrivePolicy
	if json.Unmarshal([]byte(value), &p) != nil {
		return bad("Redrive policy is not a valid JSON map.")
	}
	if p.DeadLetterTargetArn == "" {
		return bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	}
	if len(p.MaxReceiveCount) == 0 {
		return bad("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	n, err := strconv.Atoi(strings.Trim(string(p.MaxReceiveCount), `"`))
	if err != nil || n < 1 || n > 1_000 {
		return bad("Invalid value for maxReceiveCount: " + clip(string(p.MaxReceiveCount)) + ", valid values are from 1 to 1000 both inclusive.")
	}
	name, ok := nameOfARN(p.DeadLetterTargetArn)
	if !ok {
		return bad("Dead letter target is not a queue.")
	}
	q, err := x.find(name)
	if err != nil {
		return bad("Dead letter target does not exist.")
	}
	if q.Settings.Ordered != set.Ordered {
		return bad("Dead-letter queue must be same type of queue as the source.")
	}
	if !allowsSource(q.Labels[labelPrefix+"RedriveAllowPolicy"], x.spec.Name) {
		return bad("Queue does not have permissions to use " + p.DeadLetterTargetArn + " as a DLQ.")
	}
	set.DeadLetter, set.AttemptsMax = name, int32(n)
	return nil
}

type allowPolicy struct {
	RedrivePermission string   `json:"redrivePermission"`
	SourceQueueArns   []string `json:"sourceQueueArns"`
}

func validAllowPolicy(value string) bool {
	var p allowPolicy
	if json.Unmarshal([]byte(value), &p) != nil {
		return false
	}
	switch p.RedrivePermission {
	case "allowAll", "denyAll":
		return len(p.SourceQueueArns) == 0
	case "byQueue":
		return len(p.SourceQueueArns) >= 1 && len(p.SourceQueueArns) <= 10
	}
	return false
}

func allowsSource(policy, source string) bool {
	var p allowPolicy
	if policy == "" || json.Unmarshal([]byte(policy), &p) != nil || p.RedrivePermission == "allowAll" {
		return true
	}
	return p.RedrivePermission == "byQueue" && slices.ContainsFunc(p.SourceQueueArns, func(arn string) bool {
		name, ok := nameOfARN(arn)
		return ok && name == source
	})
}

// setAttributes sets all that are given. FifoQueue was looked at when the queue
// was made.
func (x *attributeEdit) setAttributes(values map[string]string) error {
	for name, value := range values {
		a, ok := queueAttributes[name]
		if name == "FifoQueue" && x.spec.Settings.Ordered && value == "true" {
			continue
		}
		if name == "FifoQueue" && x.spec.Settings.Ordered {
			return &problem{"InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."}
		}
		if !ok || a.set == nil || a.fifoOnly && !x.spec.Settings.Ordered {
			return unknownAttribute(name)
		}
		if err := a.set(x, value); err != nil {
			return err
		}
	}
	if s := &x.spec.Settings; s.PerGroupThroughput && s.Dedup != catalog.DedupGroup {
		return invalidParameter("FifoThroughputLimit", "perMessageGroupId", "FifoThroughputLimit can be perMessageGroupId only if DeduplicationScope is messageGroup.")
	}
	return nil
}

// shown returns the attributes that are asked for.
func (x *attributeView) shown(names []string) (map[string]string, error) {
	out := make(map[string]string)
	for _, name := range names {
		if name == "All" {
			for n, a := range queueAttributes {
				x.show(out, n, a)
			}
			continue
		}
		a, ok := queueAttributes[name]
		if !ok {
			return nil, unknownAttribute(name)
		}
		x.show(out, name, a)
	}
	return out, nil
}

func (x *attributeView) show(out map[string]string, name string, a queueAttribute) {
	if a.fifoOnly && !x.meta.Settings.Ordered {
		return
	}
	if v := a.get(x); v != "" {
		out[name] = v
	} else if name == "SqsManagedSseEnabled" {
		out[name] = "true"
	}
}
