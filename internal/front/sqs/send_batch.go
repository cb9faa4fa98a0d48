package sqs

import (
	"context"

	"github.com/narumq/naru/internal/broker"
)

type sendBatchIn struct {
	QueueUrl string
	Entries  []sendIn `query:"SendMessageBatchRequestEntry"`
}

type sendBatchOut struct {
	Successful []sendOut `element:"SendMessageBatchResultEntry"`
	Failed     []failure `json:",omitempty" element:"BatchResultErrorEntry"`
}

// sendMessageBatch is SendMessageBatch.
//
// Behaviour: each entry has its own outcome; those that are good go to the log in
// the order of the batch. What an entry for a FIFO queue lacks fails all.
// Deviations: those of SendMessage.
func sendMessageBatch(ctx context.Context, t *target, in *sendBatchIn) (*sendBatchOut, error) {
	if err := checkBatch("SendMessageBatchRequestEntry", len(in.Entries), func(i int) string { return in.Entries[i].Id }); err != nil {
		return nil, err
	}
	all := make([]outgoing, len(in.Entries))
	failed := make([]error, len(in.Entries))
	size := 0
	for i := range in.Entries {
		all[i], failed[i] = in.Entries[i].outgoing(t.trace)
		if err := all[i].missing(t.rules); err != nil {
			return nil, asInvalid(err)
		}
		size += all[i].bytes()
	}
	if size > batchBytesMax {
		return nil, batchProblem("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", batchBytesMax, size)
	}
	messages := make([]broker.Message, 0, len(all))
	place := make([]int, 0, len(all)) // of each message, in the batch
	for i := range all {
		if failed[i] != nil {
			continue
		}
		m, err := all[i].message(t.rules, entryTooLong)
		if failed[i] = err; err == nil {
			messages, place = append(messages, m), append(place, i)
		}
	}
	var sent []broker.Sent
	if len(messages) > 0 {
		var err error
		if sent, err = send(ctx, t.q, messages); err != nil {
			return nil, err
		}
	}
	out := &sendBatchOut{Successful: make([]sendOut, 0, len(sent))}
	for j, i := range place {
		if failed[i] = sent[j].Err; failed[i] == nil {
			answer := all[i].answer(&sent[j], t.rules.ordered)
			answer.Id = in.Entries[i].Id
			out.Successful = append(out.Successful, answer)
		}
	}
	out.Failed = failures(failed, func(i int) string { return in.Entries[i].Id })
	return out, nil
}
