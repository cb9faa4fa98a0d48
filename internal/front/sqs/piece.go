package sqs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/narumq/naru/internal/record"
)

// piece is a key or a header in JSON. Exactly one of text and base64 is there,
// or neither if the value is null. A name that is not text is in name64.
type piece struct {
	Name   *string `json:"name,omitempty"`
	Name64 []byte  `json:"name64,omitempty"`
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

// piecesMax is how many headers may be sent in one attribute.
const piecesMax = 4096

var errPiece = errors.New("not what it should be")

// pieceOf returns the piece of a header.
func pieceOf(name string, value []byte) piece {
	p := valuePiece(value)
	if validText(name) {
		p.Name = &name
	} else {
		p.Name64 = []byte(name)
	}
	return p
}

func valuePiece(value []byte) piece {
	switch {
	case value == nil:
		return piece{}
	case validText(value):
		s := string(value)
		return piece{Text: &s}
	}
	return piece{Base64: value}
}

// value is what the piece stands for.
func (p *piece) value() ([]byte, error) {
	switch {
	case p.Text != nil && p.Base64 != nil:
		return nil, fmt.Errorf("both text and base64: %w", errPiece)
	case p.Text != nil:
		return []byte(*p.Text), nil
	}
	return p.Base64, nil
}

// encodeKey returns the text of a key that is there: {"text":"주문"} or
// {"base64":"AAE="}.
func encodeKey(key []byte) string { return encodeJSON(valuePiece(key)) }

func decodeKey(text []byte) ([]byte, error) {
	var p piece
	if err := strictJSON(text).Decode(&p); err != nil {
		return nil, err
	}
	key, err := p.value()
	if err == nil && (key == nil || p.Name != nil || p.Name64 != nil) {
		err = fmt.Errorf("a key has text or base64, and no name: %w", errPiece)
	}
	return key, err
}

// encodePieces returns the text of headers: [{"name":"이름","text":"나루"}].
func encodePieces(pieces []piece) string { return encodeJSON(pieces) }

// decodePieces returns the headers of a text that encodePieces could have made.
func decodePieces(text []byte) ([]record.HeaderField, error) {
	d := strictJSON(text)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("an array is wanted: %w", errPiece)
	}
	var headers []record.HeaderField
	for d.More() {
		if len(headers) == piecesMax {
			return nil, fmt.Errorf("more than %d headers: %w", piecesMax, errPiece)
		}
		var p piece
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		h, err := p.header()
		if err != nil {
			return nil, err
		}
		headers = append(headers, h)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more follows the array: %w", errPiece)
	}
	return headers, nil
}

func (p *piece) header() (record.HeaderField, error) {
	var h record.HeaderField
	var err error
	switch {
	case (p.Name == nil) == (p.Name64 == nil):
		return h, fmt.Errorf("a header has either name or name64: %w", errPiece)
	case p.Name != nil:
		h.Key = *p.Name
	default:
		h.Key = string(p.Name64)
	}
	if strings.HasPrefix(h.Key, reservedPrefix) {
		return h, fmt.Errorf("header %q is reserved: %w", h.Key, errPiece)
	}
	h.Value, err = p.value()
	return h, err
}

func strictJSON(text []byte) *json.Decoder {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d
}

func encodeJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and bytes always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// decodeBase64 accepts only what an encoder writes, so that text and bytes stand
// for each other one to one.
func decodeBase64(text []byte) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().AppendDecode(make([]byte, 0, len(text)/4*3), text)
	if err == nil && base64.StdEncoding.EncodedLen(len(b)) != len(text) {
		err = errors.New("line breaks are not allowed")
	}
	return b, err
}
