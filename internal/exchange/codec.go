package exchange

import (
	"encoding/binary"
	"fmt"

	"github.com/narumq/naru/internal/record"
)

// A command's key is what it is about, its value what that is now; no value: it is gone.
// Numbers are uvarints, text is length bytes, kinds and flags are one byte.
//
//	key 'x' name                                             value  kind wraps flags alternate arguments
//	key 'b' source destination-kind destination key arguments   value  flags
//
//	arguments = n { name value-kind [number | text] }, by name
const (
	keyExchange = 'x' // on disk: never change
	keyBinding  = 'b'

	flagDurable    = 1
	flagAutoDelete = 2
	flagInternal   = 4
)

// Command is a durable change; see Table.Apply.
type Command = record.Command

func exchangeKey(name string) []byte { return append([]byte{keyExchange}, name...) }

func (s *Spec) command() Command {
	flags := byte(0)
	for _, f := range []struct {
		set  bool
		flag byte
	}{{s.Durable, flagDurable}, {s.AutoDelete, flagAutoDelete}, {s.Internal, flagInternal}} {
		if f.set {
			flags |= f.flag
		}
	}
	w := writer{byte(s.Kind), byte(s.Wraps), flags}
	w.text(s.Alternate)
	w.arguments(s.Arguments)
	return Command{Key: exchangeKey(s.Name), Value: w}
}

// key is the binding's identity. Its arguments are sorted.
func (b *Binding) key() []byte {
	w := writer{keyBinding}
	w.text(b.Source)
	w = append(w, byte(b.DestinationKind))
	w.text(b.Destination)
	w.text(b.Key)
	w.arguments(b.Arguments)
	return w
}

func (b *Binding) command() Command {
	flags := byte(0)
	if b.Durable {
		flags = flagDurable
	}
	return Command{Key: b.key(), Value: []byte{flags}}
}

type writer []byte

func (w *writer) uint(v uint64) { *w = binary.AppendUvarint(*w, v) }

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) arguments(list Arguments) {
	w.uint(uint64(len(list)))
	for _, a := range list {
		w.text(a.Name)
		*w = append(*w, byte(a.Value.kind))
		switch a.Value.kind {
		case BoolKind, IntKind, FloatKind:
			w.uint(a.Value.num)
		case TextKind, OpaqueKind:
			w.text(a.Value.text)
		}
	}
}

// reader takes a command apart; the first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.b = nil
}

func (r *reader) byte(most byte) byte {
	if len(r.b) == 0 || r.b[0] > most {
		r.fail("byte missing, or out of range")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number cut short, or out of range")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail("text cut short")
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) arguments() Arguments {
	n := r.uint()
	if n > ArgumentsMax || n > uint64(len(r.b)) {
		r.fail("too many arguments")
		return nil
	}
	var list Arguments
	for range n {
		a := Argument{Name: r.text(), Value: Value{kind: ValueKind(r.byte(valueKinds - 1))}}
		switch a.Value.kind {
		case BoolKind:
			a.Value.num = uint64(r.byte(1))
		case IntKind, FloatKind:
			a.Value.num = r.uint()
		case TextKind, OpaqueKind:
			a.Value.text = r.text()
		}
		list = append(list, a)
	}
	return list
}

// end is the error of bytes that are none of ours.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes left over")
	}
	return r.err
}

func readSpec(key, value []byte) (Spec, error) {
	r := reader{b: value}
	s := Spec{Name: string(key[1:]), Kind: Kind(r.byte(byte(Delayed))), Wraps: Kind(r.byte(byte(Headers)))}
	flags := r.byte(flagDurable | flagAutoDelete | flagInternal)
	s.Durable, s.AutoDelete, s.Internal = flags&flagDurable != 0, flags&flagAutoDelete != 0, flags&flagInternal != 0
	s.Alternate, s.Arguments = r.text(), r.arguments()
	if err := r.end(); err != nil {
		return Spec{}, err
	}
	if err := s.validate(); err != nil {
		return Spec{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return s, nil
}

func readBinding(key []byte) (Binding, error) {
	r := reader{b: key[1:]}
	b := Binding{
		Source: r.text(), DestinationKind: DestinationKind(r.byte(byte(ToExchange))), Destination: r.text(),
		Key: r.text(), Arguments: r.arguments(),
	}
	if err := r.end(); err != nil {
		return Binding{}, err
	}
	if err := b.validate(); err != nil {
		return Binding{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return b, nil
}
