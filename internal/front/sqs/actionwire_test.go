package sqs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
)

// What the readers make of a request is what encoding/json makes of it.
func TestRequestReaders(t *testing.T) {
	read := func(text string, in interface{ readJSON(*jsonIn) }) bool {
		r := jsonIn{b: []byte(text)}
		in.readJSON(&r)
		return r.end()
	}
	var receive, receiveWant receiveIn
	var batch, batchWant receiptBatchIn
	for _, test := range []struct {
		text      string
		got, want any
	}{
		{`{"QueueUrl":"http://h/0/q","AttributeNames":["All"],"MessageSystemAttributeNames":[],"MessageAttributeNames":["a","b.*"],"MaxNumberOfMessages":10,
			"VisibilityTimeout":0,"WaitTimeSeconds":20,"ReceiveRequestAttemptId":"x","Other":{"a":[1,{}]}}`, &receive, &receiveWant},
		{`{"QueueUrl":"u","Entries":[{"Id":"1","ReceiptHandle":"h\u0031","VisibilityTimeout":5},{"Id":"2","ReceiptHandle":null}]}`, &batch, &batchWant},
	} {
		if err := json.Unmarshal([]byte(test.text), test.want); err != nil {
			t.Fatal(err)
		}
		if !read(test.text, test.got.(interface{ readJSON(*jsonIn) })) {
			t.Errorf("%s was not read", test.text)
		}
		g, _ := json.Marshal(test.got)
		w, _ := json.Marshal(test.want)
		if strings.ReplaceAll(string(g), "null", "[]") != strings.ReplaceAll(string(w), "null", "[]") {
			t.Errorf("%s\nwant %s", g, w)
		}
	}
	var in sendBatchIn
	if !read(`{"Entries":[{"Id":"1","MessageBody":"안녕\n","DelaySeconds":5,"MessageGroupId":"g","MessageDeduplicationId":"d","MessageAttributes":{
		"s":{"DataType":"String","StringValue":"부산"},"b":{"DataType":"Binary","BinaryValue":"AP8="},"l":{"DataType":"String","StringListValues":["x"],"BinaryListValues":["AA=="]}},
		"MessageSystemAttributes":{"AWSTraceHeader":{"StringValue":"Root=1","DataType":"String"}}},{"Id":"2","MessageBody":"x"}],"QueueUrl":"u"}`, &in) {
		t.Fatal("not read")
	}
	e := in.Entries[0]
	if in.QueueUrl != "u" || len(in.Entries) != 2 || e.Id != "1" || string(e.MessageBody) != "안녕\n" || *e.DelaySeconds != 5 || *e.MessageGroupId != "g" ||
		*e.MessageDeduplicationId != "d" || *e.MessageSystemAttributes["AWSTraceHeader"].StringValue != "Root=1" {
		t.Errorf("%+v", in)
	}
	want := map[string]attributeValue{"s": {DataType: "String", StringValue: ptr("부산")}, "b": {DataType: "Binary", BinaryValue: []byte{0, 0xFF}},
		"l": {DataType: "String", StringListValues: []string{"x"}, BinaryListValues: [][]byte{{0}}}}
	if !reflect.DeepEqual(e.MessageAttributes, want) {
		t.Errorf("%+v", e.MessageAttributes)
	}
	if _, err := e.outgoing(""); err == nil || !strings.Contains(err.Error(), "UnsupportedOperation") {
		t.Errorf("list values: %v", err)
	}
	for _, wrong := range []string{``, `[]`, `{"Entries":{}}`, `{"Entries":[{"DelaySeconds":"5"}]}`, `{"Entries":[{"DelaySeconds":1.5}]}`,
		`{"Entries":[{"MessageAttributes":{"b":{"BinaryValue":"?"}}}]}`, `{"QueueUrl":5}`, `{} x`} {
		if read(wrong, new(sendBatchIn)) {
			t.Errorf("%s was taken", wrong)
		}
	}
}

// Answers have no empty members: a message without attributes has neither
// MessageAttributes nor Attributes, and no messages are no list.
func TestAnswers(t *testing.T) {
	d := broker.Delivery{Record: record.Record{Value: []byte("a\"나루\n"), Headers: []record.HeaderField{header("s", "부산"), header("b", "\xff")}}}
	all := receiveRequest{system: systemAll, attributes: newAttributeFilter([]string{"All"})}
	none := receiveRequest{}
	for _, test := range []struct {
		got, want string
	}{
		{string(appendReceived(nil, nil)), `{}`},
		{string(appendReceived(nil, []received{none.show(&d, []byte("h"), false, nil)})),
			`{"Messages":[{"MessageId":"` + d.ID.String() + `","ReceiptHandle":"h","MD5OfBody":"7b1cf3f6cd14d3a3ad1cf6b0a7e5a6a1","Body":"a\"나루\n"}]}`},
		{string(appendReceived(nil, []received{all.show(&d, []byte("h"), false, nil)})),
			`{"Messages":[{"MessageId":"` + d.ID.String() + `","ReceiptHandle":"h","MD5OfBody":"7b1cf3f6cd14d3a3ad1cf6b0a7e5a6a1","Body":"a\"나루\n",` +
				`"Attributes":{"ApproximateFirstReceiveTimestamp":"0","ApproximateReceiveCount":"0","SenderId":"000000000000","SentTimestamp":"0"},` +
				`"MD5OfMessageAttributes":"` + attributesMD5([]attribute{{"s", "String", []byte("부산")}, {"b", "Binary", []byte{0xff}}}) + `",` +
				`"MessageAttributes":{"s":{"DataType":"String","StringValue":"부산"},"b":{"DataType":"Binary","BinaryValue":"/w=="}}}]}`},
		{string((&sendOut{MessageId: "m", MD5OfMessageBody: "b"}).appendJSON(nil)), `{"MessageId":"m","MD5OfMessageBody":"b"}`},
		{string((&sendOut{Id: "i", MessageId: "m", MD5OfMessageBody: "b", MD5OfMessageAttributes: "a", MD5OfMessageSystemAttributes: "s", SequenceNumber: "1"}).appendJSON(nil)),
			`{"Id":"i","MessageId":"m","MD5OfMessageBody":"b","MD5OfMessageAttributes":"a","MD5OfMessageSystemAttributes":"s","SequenceNumber":"1"}`},
	} {
		want := strings.ReplaceAll(test.want, "7b1cf3f6cd14d3a3ad1cf6b0a7e5a6a1", hexMD5(d.Record.Value))
		if test.got != want || !json.Valid([]byte(test.got)) {
			t.Errorf("\n got %s\nwant %s", test.got, want)
		}
	}
}

// A parser must read from the XML exactly what was written, carriage returns
// included.
func TestReceivedXML(t *testing.T) {
	body, value := "a<&>\r\n\t나루 \"'", "\r부산"
	d := broker.Delivery{Attempts: 3, Record: record.Record{Key: []byte("g&"), Value: []byte(body), Headers: []record.HeaderField{
		header("s", value), header("b", "\xff\x00")}}}
	r := receiveRequest{system: 1<<systemReceiveCount | 1<<systemGroup, attributes: newAttributeFilter([]string{"All"})}
	m := r.show(&d, []byte("h"), false, nil)
	var b bytes.Buffer
	m.writeXML(&b)
	var got struct {
		MessageId, ReceiptHandle, MD5OfBody, Body, MD5OfMessageAttributes string
		Attribute                                                         []struct{ Name, Value string }
		MessageAttribute                                                  []struct {
			Name  string
			Value struct{ DataType, StringValue, BinaryValue string }
		}
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err, b.String())
	}
	if got.Body != body || got.MD5OfBody != hexMD5([]byte(body)) || got.ReceiptHandle != "h" || got.MessageId != d.ID.String() || got.MD5OfMessageAttributes != m.md5 ||
		fmt.Sprint(got.Attribute) != "[{ApproximateReceiveCount 3} {MessageGroupId g&}]" ||
		fmt.Sprintf("%q", got.MessageAttribute) != `[{"s" {"String" "\r부산" ""}} {"b" {"Binary" "" "/wA="}}]` {
		t.Errorf("%q", got)
	}
	none := receiveRequest{}
	m = none.show(&d, []byte("h"), false, nil)
	b.Reset()
	if m.writeXML(&b); strings.Contains(b.String(), "Attribute") {
		t.Errorf("%s", b.String())
	}
}

// BenchmarkSendPath is what a SendMessage costs without HTTP and the broker,
// BenchmarkReceivePath a ReceiveMessage of ten.
func BenchmarkSendPath(b *testing.B) {
	request := []byte(`{"QueueUrl":"http://localhost:4566/000000000000/orders","MessageBody":"` + strings.Repeat(`{\"id\":1234,\"text\":\"some order\"}`, 16) + `"}`)
	q := queueRules{bytesMax: 1 << 20}
	var out []byte
	b.ReportAllocs()
	body := make([]byte, len(request))
	for b.Loop() {
		copy(body, request)
		r := jsonIn{b: body}
		var in sendIn
		if in.readJSON(&r); !r.end() {
			b.Fatal("not read")
		}
		o, err := in.outgoing("")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.message(q, tooLong); err != nil {
			b.Fatal(err)
		}
		answer := o.answer(&broker.Sent{}, false)
		out = answer.appendJSON(out[:0])
	}
}

func BenchmarkReceivePath(b *testing.B) {
	rs := newReceipts("c")
	d := broker.Delivery{Record: record.Record{Value: []byte(strings.Repeat(`{"id":1234,"text":"some order"}`, 16))}}
	r := receiveRequest{}
	var out []byte
	list := make([]received, 10)
	b.ReportAllocs()
	for b.Loop() {
		for i := range list {
			list[i] = r.show(&d, rs.appendHandle(nil, receipt{offset: record.Offset(i)}), false, nil)
		}
		out = appendReceived(out[:0], list)
	}
}
