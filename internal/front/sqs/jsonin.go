package sqs

import (
	"encoding/base64"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonIn reads one JSON text (RFC 8259) piece by piece. It latches the first
// error: after it every method returns nothing and loops end, so that callers
// look at err once. Strings are slices of the text, which is changed where they have
// escapes. That their bytes are UTF-8 is not checked here.
//
// It is there because the three actions that make up nearly all requests spend
// more time in encoding/json's reflection than in everything else that is ours.
type jsonIn struct {
	b     []byte
	i     int
	depth int
	err   bool
}

// jsonDepthMax is how deep values nest; those of SQS nest to four.
const jsonDepthMax = 16

func (r *jsonIn) fail() { r.err, r.i = true, len(r.b) }

// peek returns the next byte that is not white space, or 0 at the end.
func (r *jsonIn) peek() byte {
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (r *jsonIn) accept(c byte) bool {
	if r.err || r.peek() != c {
		return false
	}
	r.i++
	return true
}

// open begins an object or an array. A null in its place is an empty one.
func (r *jsonIn) open(c byte) bool {
	if r.null() {
		return false
	}
	if r.depth++; r.depth > jsonDepthMax || !r.accept(c) {
		r.fail()
		return false
	}
	return true
}

// more moves to the next member, of which there were n, of what ends with c.
func (r *jsonIn) more(n int, c byte) bool {
	if r.err {
		return false
	}
	if r.accept(c) {
		r.depth--
		return false
	}
	if n > 0 && !r.accept(',') {
		r.fail()
		return false
	}
	return true
}

// key returns the next name of an object.
func (r *jsonIn) key() []byte {
	k := r.str()
	if !r.accept(':') {
		r.fail()
		return nil
	}
	return k
}

// object calls member for each member of an object; it has to read the value.
func (r *jsonIn) object(member func(name []byte)) {
	if !r.open('{') {
		return
	}
	for n := 0; r.more(n, '}'); n++ {
		if name := r.key(); !r.err {
			member(name)
		}
	}
}

// array calls element for each element of an array; it has to read it.
func (r *jsonIn) array(element func()) {
	if !r.open('[') {
		return
	}
	for n := 0; r.more(n, ']'); n++ {
		element()
	}
}

// end reports whether the text was well formed and nothing follows.
func (r *jsonIn) end() bool { return !r.err && r.peek() == 0 && r.i == len(r.b) }

func (r *jsonIn) word(w string) bool {
	if r.err || r.peek() != w[0] || len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return false
	}
	r.i += len(w)
	return true
}

func (r *jsonIn) null() bool { return r.word("null") }

// optionalInt reads an integer, or null as nil.
func (r *jsonIn) optionalInt() *int64 {
	if r.null() {
		return nil
	}
	n, err := strconv.ParseInt(string(r.number()), 10, 64)
	if err != nil {
		r.fail()
		return nil
	}
	return &n
}

// optionalString reads a string, or null as nil.
func (r *jsonIn) optionalString() *string {
	if r.null() {
		return nil
	}
	s := string(r.str())
	return &s
}

// text reads a string, or null as nothing.
func (r *jsonIn) text() []byte {
	if r.null() {
		return nil
	}
	return r.str()
}

// bytes reads base64, or null as nil.
func (r *jsonIn) bytes() []byte {
	if r.null() {
		return nil
	}
	s := r.str()
	b, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(s))), s)
	if err != nil {
		r.fail()
	}
	return b
}

func (r *jsonIn) strings() (list []string) {
	r.array(func() { list = append(list, string(r.str())) })
	return list
}

// number reads a number as it is written.
func (r *jsonIn) number() []byte {
	if r.err {
		return nil
	}
	r.peek()
	from := r.i
	digits := func() bool {
		start := r.i
		for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
			r.i++
		}
		return r.i > start
	}
	at := func(c byte) bool { return r.i < len(r.b) && r.b[r.i] == c }
	if at('-') {
		r.i++
	}
	ok := true
	if at('0') {
		r.i++
	} else {
		ok = digits()
	}
	if ok && at('.') {
		r.i++
		ok = digits()
	}
	if ok && (at('e') || at('E')) {
		if r.i++; at('+') || at('-') {
			r.i++
		}
		ok = digits()
	}
	if !ok {
		r.fail()
		return nil
	}
	return r.b[from:r.i]
}

// skip reads a value of any kind.
func (r *jsonIn) skip() {
	if r.err {
		return
	}
	switch r.peek() {
	case '{':
		r.object(func([]byte) { r.skip() })
	case '[':
		r.array(r.skip)
	case '"':
		r.str()
	case 't', 'f', 'n':
		if !r.word("true") && !r.word("false") && !r.null() {
			r.fail()
		}
	default:
		r.number()
	}
}

// str reads a string.
func (r *jsonIn) str() []byte {
	if !r.accept('"') {
		r.fail()
		return nil
	}
	for from := r.i; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			return r.b[from : r.i-1 : r.i-1]
		case c == '\\':
			return r.escaped(from)
		case c < ' ':
			r.fail()
			return nil
		}
	}
	r.fail()
	return nil
}

// escaped reads the rest of a string that has an escape here. What an escape stands
// for is never longer than the escape, so that the string is put together where it
// is: the text is the reader's own.
func (r *jsonIn) escaped(from int) []byte {
	b, i := r.b, r.i
	out := b[from:i]
	for i < len(b) {
		c := b[i]
		i++
		switch {
		case c == '\\':
			r.i = i
			if out = r.escape(out); r.err {
				return nil
			}
			i = r.i
		case c == '"':
			r.i = i
			return out[:len(out):len(out)]
		case c < ' ':
			r.fail()
			return nil
		default:
			out = append(out, c)
		}
	}
	r.fail()
	return nil
}

// escape appends what the escape here stands for.
func (r *jsonIn) escape(out []byte) []byte {
	if r.i == len(r.b) {
		r.fail()
		return nil
	}
	c := r.b[r.i]
	r.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		u := r.hex4()
		if utf16.IsSurrogate(u) {
			// Half a pair stands for no character: U+FFFD, as encoding/json has it.
			pair := rune(utf8.RuneError)
			if r.i+1 < len(r.b) && r.b[r.i] == '\\' && r.b[r.i+1] == 'u' {
				back := r.i
				r.i += 2
				if pair = utf16.DecodeRune(u, r.hex4()); pair == utf8.RuneError && !r.err {
					r.i = back
				}
			}
			u = pair
		}
		return utf8.AppendRune(out, u)
	}
	r.fail()
	return nil
}

func (r *jsonIn) hex4() rune {
	if len(r.b)-r.i < 4 {
		r.fail()
		return 0
	}
	var u rune
	for range 4 {
		c := r.b[r.i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			r.fail()
			return 0
		}
		u = u<<4 | rune(c)
		r.i++
	}
	return u
}
