package sqs

// sendIn is the message of a SendMessage, or of an entry of SendMessageBatch.
type sendIn struct {
	QueueUrl                string `json:",omitempty"` // not in entries
	Id                      string `json:",omitempty"` // in entries
	MessageBody             []byte // UTF-8
	DelaySeconds            *int64
	MessageAttributes       map[string]attributeValue `query:"MessageAttribute,Name,Value"`
	MessageSystemAttributes map[string]attributeValue `query:"MessageSystemAttribute,Name,Value"`
	MessageDeduplicationId  *string
	MessageGroupId          *string
}

func (in *sendIn) readJSON(r *jsonIn) {
	r.object(func(name []byte) {
		switch string(name) {
		case "QueueUrl":
			in.QueueUrl = string(r.text())
		case "Id":
			in.Id = string(r.text())
		case "MessageBody":
			in.MessageBody = r.text()
		case "DelaySeconds":
			in.DelaySeconds = r.optionalInt()
		case "MessageAttributes":
			in.MessageAttributes = readAttributes(r)
		case "MessageSystemAttributes":
			in.MessageSystemAttributes = readAttributes(r)
		case "MessageDeduplicationId":
			in.MessageDeduplicationId = r.optionalString()
		case "MessageGroupId":
			in.MessageGroupId = r.optionalString()
		default:
			r.skip()
		}
	})
}

// outgoing is the message with its attributes turned into ours. trace is the
// request's trace header.
func (in *sendIn) outgoing(trace string) (outgoing, error) {
	o := outgoing{body: in.MessageBody, trace: trace, group: in.MessageGroupId, dedup: in.MessageDeduplicationId, delay: in.DelaySeconds}
	var err error
	if o.attributes, err = attributesOf(in.MessageAttributes); err != nil {
		return o, err
	}
	o.system, err = attributesOf(in.MessageSystemAttributes)
	return o, err
}
