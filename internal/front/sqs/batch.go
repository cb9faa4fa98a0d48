package sqs

const (
	batchEntriesMax = 10
	batchBytesMax   = 1 << 20 // bodies and attributes of all entries
)

// checkBatch holds the ids of a batch against the rules that fail all of it.
// entry is the name of the action's entries.
func checkBatch(entry string, n int, id func(i int) string) error {
	switch {
	case n == 0:
		return batchProblem("EmptyBatchRequest", "There should be at least one %s in the request.", entry)
	case n > batchEntriesMax:
		return batchProblem("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", batchEntriesMax, n)
	}
	for i := range n {
		if !validBatchEntryID(id(i)) {
			return batchProblem("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "+
				"It can be at most %d letters long.", batchEntryIDMax)
		}
		for j := range i {
			if id(j) == id(i) {
				return batchProblem("BatchEntryIdsNotDistinct", "Id %s repeated.", id(i))
			}
		}
	}
	return nil
}

// failures lists what went wrong with the entries of a batch.
func failures(errs []error, id func(int) string) (out []failure) {
	for i, err := range errs {
		if err != nil {
			out = append(out, failureOf(id(i), err))
		}
	}
	return out
}

// receiptIn names a delivery: the request of DeleteMessage and of
// ChangeMessageVisibility, and the entries of their batches.
type receiptIn struct {
	QueueUrl          string `json:",omitempty"` // not in entries
	Id                string `json:",omitempty"` // in entries
	ReceiptHandle     string
	VisibilityTimeout *int64
}

type receiptBatchIn struct {
	QueueUrl string
	Entries  []receiptIn
}

type receiptBatchOut struct {
	Successful []entryID
	Failed     []failure `json:",omitempty"`
}

// The batches are alike but for the names of their entries in Query.
type (
	deleteBatchIn struct {
		QueueUrl string
		Entries  []receiptIn `query:"DeleteMessageBatchRequestEntry"`
	}
	visibilityBatchIn struct {
		QueueUrl string
		Entries  []receiptIn `query:"ChangeMessageVisibilityBatchRequestEntry"`
	}
	deleteBatchOut struct {
		Successful []entryID `element:"DeleteMessageBatchResultEntry"`
		Failed     []failure `json:",omitempty" element:"BatchResultErrorEntry"`
	}
	visibilityBatchOut struct {
		Successful []entryID `element:"ChangeMessageVisibilityBatchResultEntry"`
		Failed     []failure `json:",omitempty" element:"BatchResultErrorEntry"`
	}
)

type entryID struct{ Id string }

func (in *receiptBatchIn) check(entry string) error {
	return checkBatch(entry, len(in.Entries), func(i int) string { return in.Entries[i].Id })
}

func (in *receiptBatchIn) answer(failed []error) *receiptBatchOut {
	out := &receiptBatchOut{Successful: make([]entryID, 0, len(failed))}
	for i, err := range failed {
		if err == nil {
			out.Successful = append(out.Successful, entryID{in.Entries[i].Id})
		}
	}
	out.Failed = failures(failed, func(i int) string { return in.Entries[i].Id })
	return out
}
