package sqs

// receiveIn is a ReceiveMessage.
type receiveIn struct {
	QueueUrl                    string
	AttributeNames              []string `query:"AttributeName"`
	MessageSystemAttributeNames []string `query:"MessageSystemAttributeName"`
	MessageAttributeNames       []string `query:"MessageAttributeName"`
	MaxNumberOfMessages         *int64
	VisibilityTimeout           *int64
	WaitTimeSeconds             *int64
	ReceiveRequestAttemptId     *string
}

func (in *receiveIn) readJSON(r *jsonIn) {
	r.object(func(name []byte) {
		switch string(name) {
		case "QueueUrl":
			in.QueueUrl = string(r.text())
		case "AttributeNames":
			in.AttributeNames = r.strings()
		case "MessageSystemAttributeNames":
			in.MessageSystemAttributeNames = r.strings()
		case "MessageAttributeNames":
			in.MessageAttributeNames = r.strings()
		case "MaxNumberOfMessages":
			in.MaxNumberOfMessages = r.optionalInt()
		case "VisibilityTimeout":
			in.VisibilityTimeout = r.optionalInt()
		case "WaitTimeSeconds":
			in.WaitTimeSeconds = r.optionalInt()
		case "ReceiveRequestAttemptId":
			in.ReceiveRequestAttemptId = r.optionalString()
		default:
			r.skip()
		}
	})
}

func (in *receiptIn) readJSON(r *jsonIn) {
	r.object(func(name []byte) {
		switch string(name) {
		case "QueueUrl":
			in.QueueUrl = string(r.text())
		case "Id":
			in.Id = string(r.text())
		case "ReceiptHandle":
			in.ReceiptHandle = string(r.text())
		case "VisibilityTimeout":
			in.VisibilityTimeout = r.optionalInt()
		default:
			r.skip()
		}
	})
}

// readBatch reads a batch of any kind.
func readBatch[E any](r *jsonIn, url *string, entries *[]E, entry func(*E)) {
	r.object(func(name []byte) {
		switch string(name) {
		case "QueueUrl":
			*url = string(r.text())
		case "Entries":
			*entries = nil
			r.array(func() {
				var e E
				entry(&e)
				*entries = append(*entries, e)
			})
		default:
			r.skip()
		}
	})
}

func (in *sendBatchIn) readJSON(r *jsonIn) {
	readBatch(r, &in.QueueUrl, &in.Entries, func(e *sendIn) { e.readJSON(r) })
}

func (in *receiptBatchIn) readJSON(r *jsonIn) {
	readBatch(r, &in.QueueUrl, &in.Entries, func(e *receiptIn) { e.readJSON(r) })
}

func (out *sendOut) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if out.Id != "" {
		b = append(appendString(append(b, `"Id":`...), out.Id), ',')
	}
	b = appendString(append(b, `"MessageId":`...), out.MessageId)
	b = appendString(append(b, `,"MD5OfMessageBody":`...), out.MD5OfMessageBody)
	for _, f := range []struct{ name, value string }{
		{`,"MD5OfMessageAttributes":`, out.MD5OfMessageAttributes},
		{`,"MD5OfMessageSystemAttributes":`, out.MD5OfMessageSystemAttributes},
		{`,"SequenceNumber":`, out.SequenceNumber},
	} {
		if f.value != "" {
			b = appendString(append(b, f.name...), f.value)
		}
	}
	return append(b, '}')
}

func (m *received) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"MessageId":`...), m.id.String())
	b = appendString(append(b, `,"ReceiptHandle":`...), m.handle)
	b = appendString(append(b, `,"MD5OfBody":`...), m.bodyMD5)
	b = appendString(append(b, `,"Body":`...), m.body)
	if len(m.system) > 0 {
		b = append(b, `,"Attributes":{`...)
		for i, v := range m.system {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(append(append(append(b, '"'), v.name.String()...), `":`...), v.value)
		}
		b = append(b, '}')
	}
	return append(appendAttributes(b, m.attributes, m.md5), '}')
}

// appendReceived appends the answer of a ReceiveMessage: without messages it
// has no list, as SQS does it.
func appendReceived(b []byte, messages []received) []byte {
	if len(messages) == 0 {
		return append(b, '{', '}')
	}
	b = append(b, `{"Messages":[`...)
	for i := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = messages[i].appendJSON(b)
	}
	return append(b, `]}`...)
}
