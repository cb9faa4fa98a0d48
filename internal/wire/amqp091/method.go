package amqp091

import "fmt"

// Method is the payload of a method frame. Decode and Append are about its arguments, which follow the two ids.
type Method interface {
	ID() MethodID
	Decode(r *Reader)
	Append(b []byte) []byte
}

// MethodID names a method: its class in the upper half, its number within the class in the lower.
type MethodID uint32

// MakeMethodID returns the id of a class's method.
func MakeMethodID(class, method uint16) MethodID { return MethodID(class)<<16 | MethodID(method) }

// Class returns the class's id.
func (id MethodID) Class() uint16 { return uint16(id >> 16) }

// Method returns the method's id within its class.
func (id MethodID) Method() uint16 { return uint16(id) }

// Synchronous says whether the sender waits for an answer before it sends another synchronous method.
func (id MethodID) Synchronous() bool { return id.Answers() != nil }

// AnsweredBy says whether answer may answer the method.
func (id MethodID) AnsweredBy(answer MethodID) bool {
	for _, a := range id.Answers() {
		if a == answer {
			return true
		}
	}
	return false
}

func (id MethodID) unknown() string { return fmt.Sprintf("%d.%d", id.Class(), id.Method()) }

// SplitMethod divides a method frame's payload into id and arguments, for those who decode a hot method into a struct
// that they keep. It does not say whether there is a method of that id.
func SplitMethod(payload []byte) (id MethodID, arguments []byte, err error) {
	r := Reader{b: payload}
	id = MethodID(r.long())
	return id, payload[r.pos:], r.Err()
}

// DecodeMethod reads a method frame's payload. Its error is an *Error with class and method: NotImplemented if there is no
// such method, SyntaxError if the arguments are not those of the method.
func DecodeMethod(payload []byte) (Method, error) {
	return new(Reader).DecodeMethod(payload)
}

// DecodeMethod is like the function of that name, with r's Intern.
func (r *Reader) DecodeMethod(payload []byte) (Method, error) {
	id, arguments, err := SplitMethod(payload)
	if err != nil {
		return nil, err
	}
	m := NewMethod(id)
	if m == nil {
		return nil, &Error{Code: NotImplemented, Text: "no method " + id.unknown(), Class: id.Class(), Method: id.Method()}
	}
	if err := r.Arguments(m, arguments); err != nil {
		return nil, err
	}
	return m, nil
}

// Arguments reads a method's arguments into m. After an error, which is as DecodeMethod's, m is of no use.
func (r *Reader) Arguments(m Method, arguments []byte) error {
	r.Reset(arguments)
	m.Decode(r)
	if r.Finish() == nil {
		return nil
	}
	id := m.ID()
	err := *r.err
	err.Text, err.Class, err.Method = id.String()+": "+err.Text, id.Class(), id.Method()
	return &err
}

// AppendMethod adds a method frame's payload: the two ids and the arguments.
func AppendMethod(b []byte, m Method) []byte { return m.Append(appendLong(b, uint32(m.ID()))) }
