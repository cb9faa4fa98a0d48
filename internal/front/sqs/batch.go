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
