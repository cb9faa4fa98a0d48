package sqs

import (
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/broker"
)

// systemAttribute is one of the attributes that the queue gives a message.
type systemAttribute uint8

const (
	systemFirstReceive systemAttribute = iota
	systemReceiveCount
	systemTrace
	systemDeadLetterSource
	systemDedup
	systemGroup
	systemSenderID
	systemSent
	systemSequence
	systemCount
)

var systemNames = [systemCount]string{
	"ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "AWSTraceHeader", "DeadLetterQueueSourceArn",
	"MessageDeduplicationId", "MessageGroupId", "SenderId", "SentTimestamp", "SequenceNumber",
}

func (s systemAttribute) String() string { return systemNames[s] }

// systemSet is a set of system attributes.
type systemSet uint16

const systemAll systemSet = 1<<systemCount - 1

func (s systemSet) has(a systemAttribute) bool { return s&(1<<a) != 0 }

// addSystem adds what a list of names asks for. Names of queue attributes were
// once allowed in the same place, and ask for nothing.
func (s systemSet) add(names []string) (systemSet, error) {
next:
	for _, name := range names {
		if name == "All" {
			s = systemAll
			continue
		}
		for i, known := range systemNames {
			if name == known {
				s |= 1 << i
				continue next
			}
		}
		if !strings.Contains(queueAttributeNames, " "+name+" ") {
			return 0, &problem{"InvalidAttributeName", "Unknown Attribute " + clip(name) + "."}
		}
	}
	return s, nil
}

const queueAttributeNames = " Policy VisibilityTimeout MaximumMessageSize MessageRetentionPeriod ApproximateNumberOfMessages " +
	"ApproximateNumberOfMessagesNotVisible CreatedTimestamp LastModifiedTimestamp QueueArn ApproximateNumberOfMessagesDelayed " +
	"DelaySeconds ReceiveMessageWaitTimeSeconds RedrivePolicy FifoQueue ContentBasedDeduplication KmsMasterKeyId " +
	"KmsDataKeyReusePeriodSeconds DeduplicationScope FifoThroughputLimit RedriveAllowPolicy SqsManagedSseEnabled "

// systemValue is a system attribute of a delivery.
type systemValue struct {
	name  systemAttribute
	value string
}

// systemValues appends the attributes of set that d has, in order of their
// names. arn makes the ARN of a queue.
func systemValues(out []systemValue, set systemSet, d *broker.Delivery, m *message, ordered bool, arn func(queue string) string) []systemValue {
	add := func(a systemAttribute, value string) {
		if value != "" && set.has(a) {
			out = append(out, systemValue{a, value})
		}
	}
	decimal := func(n int64) string { return strconv.FormatInt(n, 10) }
	if set == 0 {
		return out
	}
	add(systemFirstReceive, decimal(d.FirstReceivedAt))
	add(systemReceiveCount, decimal(int64(d.Attempts)))
	add(systemTrace, m.trace)
	if m.deadQueue != "" && set.has(systemDeadLetterSource) {
		add(systemDeadLetterSource, arn(m.deadQueue))
	}
	add(systemDedup, m.dedup)
	add(systemGroup, m.group)
	add(systemSenderID, accountID)
	add(systemSent, decimal(max(d.Record.Timestamp, 0)))
	if ordered {
		add(systemSequence, sequenceNumber(int64(d.Record.Offset)))
	}
	return out
}

// accountID is the account that everything belongs to.
const accountID = "000000000000"
