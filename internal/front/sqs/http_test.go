package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/front/aws"
)

// endpoint is a server that a test speaks HTTP to.
type endpoint struct {
	t   testing.TB
	sqs *Server
	web *httptest.Server
}

func newEndpoint(t testing.TB, b *broker.Broker) *endpoint {
	s := NewServer(b)
	e := &endpoint{t, s, httptest.NewServer(aws.NewServer(aws.Config{Services: map[string]aws.Service{Target: s}, Query: s}))}
	t.Cleanup(e.web.Close)
	return e
}

func (e *endpoint) url(queue string) string { return e.web.URL + "/" + Account + "/" + queue }

// json makes a call in the newer protocol.
func (e *endpoint) json(ctx context.Context, action, body string) (status int, answer string, h http.Header, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.web.URL, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("X-Amz-Target", Target+"."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	return e.do(r)
}

// form makes a call in the older protocol.
func (e *endpoint) form(action string, parameters ...string) (status int, answer string) {
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, e.web.URL, strings.NewReader(form.Encode()))
	if err != nil {
		e.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, answer, _, err = e.do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	return status, answer
}

func (e *endpoint) do(r *http.Request) (int, string, http.Header, error) {
	resp, err := e.web.Client().Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header, err
}

// must makes a JSON call that has to succeed, and decodes the answer.
func (e *endpoint) must(action, body string, out any) {
	e.t.Helper()
	status, answer, _, err := e.json(context.Background(), action, body)
	if err != nil || status != http.StatusOK {
		e.t.Fatalf("%s %s: %d %s %v", action, body, status, answer, err)
	}
	if err := json.Unmarshal([]byte(answer), out); err != nil {
		e.t.Fatalf("%s: %v", answer, err)
	}
}

// shown is a message as a client sees it.
type shown struct {
	MessageId, ReceiptHandle, MD5OfBody, Body, MD5OfMessageAttributes string
	Attributes                                                        map[string]string
	MessageAttributes                                                 map[string]attributeValue
}

func TestJSONProtocol(t *testing.T) {
	e := newEndpoint(t, newBroker(t))
	var made struct{ QueueUrl string }
	e.must("CreateQueue", `{"QueueName":"mails"}`, &made)
	if made.QueueUrl != e.url("mails") {
		t.Errorf("%s", made.QueueUrl)
	}
	var sent sendOut
	e.must("SendMessage", `{"QueueUrl":"`+made.QueueUrl+`","MessageBody":"안녕\r\n\ud83d\udea2","MessageAttributes":{"b":{"DataType":"Binary","BinaryValue":"AP8="}}}`, &sent)
	var got struct{ Messages []shown }
	e.must("ReceiveMessage", `{"QueueUrl":"`+made.QueueUrl+`","WaitTimeSeconds":5,"MessageAttributeNames":["All"],"AttributeNames":["SentTimestamp"]}`, &got)
	if len(got.Messages) != 1 {
		t.Fatalf("%+v", got)
	}
	m := got.Messages[0]
	if m.Body != "안녕\r\n🚢" || m.MessageId != sent.MessageId || m.MD5OfBody != sent.MD5OfMessageBody || len(m.Attributes) != 1 ||
		m.MD5OfMessageAttributes != sent.MD5OfMessageAttributes || !bytes.Equal(m.MessageAttributes["b"].BinaryValue, []byte{0, 0xFF}) {
		t.Errorf("%+v", m)
	}
	for _, test := range []struct{ action, body, want string }{
		{"ReceiveMessage", `{"QueueUrl":"U"}`, `200  {}`},
		{"ChangeMessageVisibility", `{"QueueUrl":"U","ReceiptHandle":"H","VisibilityTimeout":30}`, `200  {}`},
		{"ChangeMessageVisibility", `{"QueueUrl":"U","ReceiptHandle":"H"}`,
			`400 MissingParameter;Sender {"__type":"com.amazon.coral.service#MissingRequiredParameterException","message":"The request must contain the parameter VisibilityTimeout."}`},
		{"DeleteMessage", `{"QueueUrl":"U","ReceiptHandle":"H"}`, `200  {}`},
		{"ChangeMessageVisibility", `{"QueueUrl":"U","ReceiptHandle":"H","VisibilityTimeout":30}`,
			`400 InvalidParameterValue;Sender {"__type":"com.amazon.coral.service#InvalidParameterValueException","message":"Value H for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."}`},
		{"DeleteMessage", `{"QueueUrl":"U","ReceiptHandle":"x"}`,
			`404 ReceiptHandleIsInvalid;Sender {"__type":"com.amazonaws.sqs#ReceiptHandleIsInvalid","message":"The input receipt handle \"x\" is not a valid receipt handle."}`},
		{"SendMessage", `{"QueueUrl":"U","MessageBody":"\u0001"}`,
			`400 InvalidMessageContents;Sender {"__type":"com.amazonaws.sqs#InvalidMessageContents","message":"` + invalidCharacters + `"}`},
		{"SendMessage", `{"QueueUrl":"U"}`,
			`400 MissingParameter;Sender {"__type":"com.amazon.coral.service#MissingRequiredParameterException","message":"The request must contain the parameter MessageBody."}`},
		{"DeleteMessageBatch", `{"QueueUrl":"U","Entries":[]}`,
			`400 AWS.SimpleQueueService.EmptyBatchRequest;Sender {"__type":"com.amazonaws.sqs#EmptyBatchRequest","message":"There should be at least one DeleteMessageBatchRequestEntry in the request."}`},
		{"DeleteMessageBatch", `{"QueueUrl":"U","Entries":[{"Id":"a","ReceiptHandle":"H"},{"Id":"b","ReceiptHandle":"x"}]}`,
			`200  {"Successful":[{"Id":"a"}],"Failed":[{"Id":"b","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"The input receipt handle \"x\" is not a valid receipt handle."}]}`},
		{"SendMessage", `{"QueueUrl":"U","MessageBody":5}`,
			`400 MalformedInput;Sender {"__type":"com.amazon.coral.service#SerializationException","message":"The request is not JSON of the shape that SendMessage has."}`},
		{"ReceiveMessage", `{"QueueUrl":"http://h/000000000000/other"}`,
			`400 AWS.SimpleQueueService.NonExistentQueue;Sender {"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`},
	} {
		names := strings.NewReplacer("\"U\"", `"`+made.QueueUrl+`"`, "\"H\"", `"`+m.ReceiptHandle+`"`)
		status, answer, h, err := e.json(context.Background(), test.action, names.Replace(test.body))
		got := fmt.Sprintf("%d %s %s", status, h.Get("X-Amzn-Query-Error"), strings.ReplaceAll(answer, m.ReceiptHandle, "H"))
		if err != nil || got != test.want {
			t.Errorf("%s %s\n got %s %v\nwant %s", test.action, test.body, got, err, test.want)
		}
	}
}

func TestQueryProtocol(t *testing.T) {
	e := newEndpoint(t, newBroker(t))
	e.form("CreateQueue", "QueueName", "mails")
	u := e.url("mails")
	call := func(want string, action string, parameters ...string) {
		t.Helper()
		status, answer := e.form(action, append(parameters, "QueueUrl", u)...)
		head, rest, _ := strings.Cut(answer, "<"+action+"Result>")
		if inside, _, ok := strings.Cut(rest, "</"+action+"Result>"); ok {
			answer = inside
		} else if _, body, ok := strings.Cut(head, "<Error>"); ok {
			answer, _, _ = strings.Cut(body, "<Detail/>")
		} else {
			answer = ""
		}
		if got := fmt.Sprint(status, " ", answer); got != want {
			t.Errorf("%s %q\n got %s\nwant %s", action, parameters, got, want)
		}
	}
	e.form("SendMessage", "QueueUrl", u, "MessageBody", "a\r<b>", "MessageAttribute.1.Name", "n", "MessageAttribute.1.Value.DataType", "Number",
		"MessageAttribute.1.Value.StringValue", "7", "MessageAttribute.2.Name", "b", "MessageAttribute.2.Value.DataType", "Binary",
		"MessageAttribute.2.Value.BinaryValue", "AP8=", "MessageGroupId", "g")
	status, answer := e.form("ReceiveMessage", "QueueUrl", u, "WaitTimeSeconds", "5", "AttributeName.1", "MessageGroupId", "MessageAttributeName.1", "n", "MessageAttributeName.2", "b.*")
	var got struct {
		Message []struct {
			ReceiptHandle, Body, MD5OfMessageAttributes string
			Attribute                                   []struct{ Name, Value string }
			MessageAttribute                            []struct {
				Name  string
				Value struct{ DataType, StringValue, BinaryValue string }
			}
		} `xml:"ReceiveMessageResult>Message"`
	}
	if err := xml.Unmarshal([]byte(answer), &got); err != nil || status != 200 || len(got.Message) != 1 {
		t.Fatal(status, answer, err)
	}
	m := got.Message[0]
	if m.Body != "a\r<b>" || fmt.Sprint(m.Attribute) != "[{MessageGroupId g}]" || fmt.Sprintf("%q", m.MessageAttribute) != `[{"b" {"Binary" "" "AP8="}} {"n" {"Number" "7" ""}}]` ||
		m.MD5OfMessageAttributes != attributesMD5([]attribute{{"b", "Binary", []byte{0, 0xFF}}, {"n", "Number", []byte("7")}}) {
		t.Errorf("%+v", m)
	}
	call("200 ", "ReceiveMessage")
	call("200 ", "ChangeMessageVisibility", "ReceiptHandle", m.ReceiptHandle, "VisibilityTimeout", "100")
	call("200 <ChangeMessageVisibilityBatchResultEntry><Id>x</Id></ChangeMessageVisibilityBatchResultEntry><BatchResultErrorEntry><Id>y</Id><SenderFault>true</SenderFault>"+
		"<Code>InvalidParameterValue</Code><Message>Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be &gt;= 0 and &lt;= 43200, if provided.</Message></BatchResultErrorEntry>",
		"ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatchRequestEntry.1.Id", "x", "ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle", m.ReceiptHandle,
		"ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout", "60", "ChangeMessageVisibilityBatchRequestEntry.2.Id", "y",
		"ChangeMessageVisibilityBatchRequestEntry.2.ReceiptHandle", m.ReceiptHandle, "ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout", "43201")
	call("200 <DeleteMessageBatchResultEntry><Id>x</Id></DeleteMessageBatchResultEntry>", "DeleteMessageBatch",
		"DeleteMessageBatchRequestEntry.1.Id", "x", "DeleteMessageBatchRequestEntry.1.ReceiptHandle", m.ReceiptHandle)
	call("400 <Type>Sender</Type><Code>AWS.SimpleQueueService.EmptyBatchRequest</Code><Message>There should be at least one SendMessageBatchRequestEntry in the request.</Message>", "SendMessageBatch")
	call("400 <Type>Sender</Type><Code>MissingParameter</Code><Message>The request must contain the parameter MessageBody.</Message>", "SendMessage")
	call("200 ", "DeleteMessage", "ReceiptHandle", m.ReceiptHandle)
	u += "x"
	call("400 <Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified queue does not exist for this wsdl version.</Message>", "ReceiveMessage")
}

// A long poll ends at shutdown with an empty answer, and when the client goes
// away, without taking anything.
func TestLongPolls(t *testing.T) {
	b := newBroker(t)
	e := newEndpoint(t, b)
	e.must("CreateQueue", `{"QueueName":"q"}`, new(struct{}))
	poll := `{"QueueUrl":"` + e.url("q") + `","WaitTimeSeconds":20,"AttributeNames":["All"]}`
	gone, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() {
		_, _, _, err := e.json(gone, "ReceiveMessage", poll)
		left <- err
	}()
	cancel()
	if err := <-left; err == nil {
		t.Error("a call that was cancelled was answered")
	}
	var sent sendOut
	e.must("SendMessage", `{"QueueUrl":"`+e.url("q")+`","MessageBody":"x"}`, &sent)
	var got struct{ Messages []shown }
	e.must("ReceiveMessage", poll, &got)
	if len(got.Messages) != 1 || got.Messages[0].MessageId != sent.MessageId {
		t.Fatalf("%+v", got)
	}
	type outcome struct {
		status int
		answer string
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		status, answer, _, err := e.json(context.Background(), "ReceiveMessage", poll)
		ended <- outcome{status, answer, err}
	}()
	e.sqs.Stop() // before or while it waits
	if o := <-ended; o.status != 200 || o.answer != "{}" || o.err != nil {
		t.Errorf("%+v", o)
	}
}
