package record

// Command is a record to append to a partition that holds state: it sets Key
// to Value, or forgets Key if Value is nil.
type Command struct{ Key, Value []byte }
