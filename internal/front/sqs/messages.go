package sqs

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/narumq/naru/internal/front/aws"
)

// The actions on messages. Their JSON is read, and mostly written, by hand: they
// are nearly all of the requests that there are.
func init() {
	onMessages("SendMessage", func(in *sendIn) *string { return &in.QueueUrl }, (*sendIn).readJSON, sendMessage, (*sendOut).appendJSON, nil)
	onMessages("SendMessageBatch", func(in *sendBatchIn) *string { return &in.QueueUrl }, (*sendBatchIn).readJSON, sendMessageBatch, nil, nil)
	onMessages("ReceiveMessage", func(in *receiveIn) *string { return &in.QueueUrl }, (*receiveIn).readJSON, receiveMessage,
		(*receiveOut).appendJSON, (*receiveOut).xml)
	onMessages("DeleteMessage", func(in *receiptIn) *string { return &in.QueueUrl }, (*receiptIn).readJSON, withoutAnswer(deleteMessage), appendNothing, nil)
	onMessages("DeleteMessageBatch", func(in *deleteBatchIn) *string { return &in.QueueUrl },
		func(in *deleteBatchIn, r *jsonIn) { (*receiptBatchIn)(in).readJSON(r) }, deleteMessageBatch, nil, nil)
	onMessages("ChangeMessageVisibility", func(in *receiptIn) *string { return &in.QueueUrl }, (*receiptIn).readJSON,
		withoutAnswer(changeMessageVisibility), appendNothing, nil)
	onMessages("ChangeMessageVisibilityBatch", func(in *visibilityBatchIn) *string { return &in.QueueUrl },
		func(in *visibilityBatchIn, r *jsonIn) { (*receiptBatchIn)(in).readJSON(r) }, changeMessageVisibilityBatch, nil, nil)
}

// onMessages registers an action on the messages of the queue that the input
// names. Without appendJSON the answer is encoding/json's, without toXML
// aws.EncodeXML's.
func onMessages[In, Out any](name string, queueURL func(*In) *string, readJSON func(*In, *jsonIn),
	run func(context.Context, *target, *In) (*Out, error), appendJSON func(*Out, []byte) []byte, toXML func(*Out) []byte,
) {
	call := func(ctx context.Context, s *Server, c *aws.Call, in *In) (*Out, error) {
		t, err := s.target(c, *queueURL(in))
		if err != nil {
			return nil, err
		}
		return run(ctx, t, in)
	}
	register(name, action{
		json: func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error) {
			var in In
			r := jsonIn{b: c.Body}
			if readJSON(&in, &r); !r.end() {
				return nil, serialization("The request is not JSON of the shape that " + name + " has.")
			}
			out, err := call(ctx, s, c, &in)
			switch {
			case err != nil:
				return nil, err
			case appendJSON != nil:
				return appendJSON(out, nil), nil
			}
			return json.Marshal(out)
		},
		form: func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error) {
			var in In
			if err := aws.DecodeForm(c.Form, &in); err != nil {
				return nil, err
			}
			out, err := call(ctx, s, c, &in)
			switch {
			case err != nil:
				return nil, err
			case toXML != nil:
				return toXML(out), nil
			}
			return result(name, out), nil
		},
	})
}

// withoutAnswer is for actions that only succeed or fail.
func withoutAnswer[In any](run func(context.Context, *target, *In) error) func(context.Context, *target, *In) (*nothing, error) {
	return func(ctx context.Context, t *target, in *In) (*nothing, error) { return nil, run(ctx, t, in) }
}

func appendNothing(_ *nothing, b []byte) []byte { return append(b, '{', '}') }

// appendJSON leaves the list out if it is empty, as SQS does.
func (out *receiveOut) appendJSON(b []byte) []byte { return appendReceived(b, out.messages) }

func (out *receiveOut) xml() []byte {
	var b bytes.Buffer
	b.WriteString("<ReceiveMessageResult>")
	for i := range out.messages {
		out.messages[i].writeXML(&b)
	}
	b.WriteString("</ReceiveMessageResult>")
	return b.Bytes()
}
