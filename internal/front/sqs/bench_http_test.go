package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/front/aws"
)

// BenchmarkHandler measures each of the hot actions from the HTTP handler down,
// without a network, 64 callers at a time, on a real directory.
func BenchmarkHandler(b *testing.B) {
	for _, bench := range []struct {
		name    string
		actions func(call func(action, body string) []byte, queueURL string) // one step
	}{
		{"SendMessage", func(call func(string, string) []byte, u string) {
			call("SendMessage", `{"QueueUrl":"`+u+`","MessageBody":"`+benchBody+`"}`)
		}},
		{"Send+Receive+Delete", func(call func(string, string) []byte, u string) {
			call("SendMessage", `{"QueueUrl":"`+u+`","MessageBody":"`+benchBody+`"}`)
			var got struct {
				Messages []struct{ ReceiptHandle string }
			}
			if err := json.Unmarshal(call("ReceiveMessage", `{"QueueUrl":"`+u+`","WaitTimeSeconds":5}`), &got); err == nil && len(got.Messages) == 1 {
				call("DeleteMessage", `{"QueueUrl":"`+u+`","ReceiptHandle":"`+got.Messages[0].ReceiptHandle+`"}`)
			}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := NewServer(newBroker(b))
			handler := aws.NewServer(aws.Config{Services: map[string]aws.Service{Target: s}, Query: s})
			call := func(action, body string) []byte {
				r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "http://localhost:4566/", strings.NewReader(body))
				r.Header.Set("X-Amz-Target", Target+"."+action)
				w := &answerWriter{header: http.Header{}}
				if handler.ServeHTTP(w, r); w.status > 200 {
					b.Errorf("%s: %d %s", action, w.status, w.Bytes())
				}
				return w.Bytes()
			}
			call("CreateQueue", `{"QueueName":"q"}`)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					bench.actions(call, "http://localhost:4566/000000000000/q")
				}
			})
		})
	}
}

var benchBody = strings.Repeat(`{\"id\":1234,\"text\":\"some order\"}`, 16)

// answerWriter keeps what a handler answers.
type answerWriter struct {
	bytes.Buffer
	header http.Header
	status int
}

func (w *answerWriter) Header() http.Header    { return w.header }
func (w *answerWriter) WriteHeader(status int) { w.status = status }

var _ io.Writer = (*answerWriter)(nil)
