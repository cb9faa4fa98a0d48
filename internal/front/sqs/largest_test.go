package sqs

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// The largest message there is, with all that it can carry beside its body.
func TestLargestMessage(t *testing.T) {
	tt := newTarget(t, newBroker(t), "q.fifo", fifo)
	in := sendIn{MessageGroupId: ptr(strings.Repeat("g", 128)), MessageDeduplicationId: ptr(strings.Repeat("d", 128)),
		MessageAttributes:       map[string]attributeValue{},
		MessageSystemAttributes: map[string]attributeValue{"AWSTraceHeader": {DataType: "String", StringValue: ptr(strings.Repeat("t", 1000))}}}
	size := 0
	for i := range attributesMax {
		name, dataType := fmt.Sprint(strings.Repeat("n", 255), i), "Number."+strings.Repeat("x", 249)
		in.MessageAttributes[name] = attributeValue{DataType: dataType, StringValue: ptr("1")}
		size += len(name) + len(dataType) + 1
	}
	in.MessageBody = []byte(strings.Repeat("b", 1<<20-size+1))
	if _, err := sendMessage(context.Background(), tt, &in); fmt.Sprint(err) != "InvalidParameterValue: One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes." {
		t.Errorf("one byte too many: %v", err)
	}
	in.MessageBody = in.MessageBody[1:]
	sent := tt.send(t, in)
	list := tt.receive(t, everything)
	if len(list) != 1 || list[0].md5 != sent.MD5OfMessageAttributes || list[0].bodyMD5 != sent.MD5OfMessageBody {
		t.Errorf("%d messages", len(list))
	}
}
