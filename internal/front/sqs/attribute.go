package sqs

import (
	"strconv"
	"strings"
)

// Limits of message attributes (SQS Developer Guide, "Amazon SQS message
// metadata").
const (
	attributesMax         = 10
	attributeNameBytesMax = 256
	attributeTypeBytesMax = 256
)

// attribute is a message attribute. Whether value is text or bytes follows from
// the data type.
type attribute struct {
	name     string
	dataType string // String, Number or Binary, maybe with a label: Number.int
	value    []byte
}

// binary reports whether the value is bytes rather than text.
func (a *attribute) binary() bool { return basicType(a.dataType) == typeBinary }

// bytes is what the attribute counts towards the size of its message.
func (a *attribute) bytes() int { return len(a.name) + len(a.dataType) + len(a.value) }

const (
	typeString = "String"
	typeNumber = "Number"
	typeBinary = "Binary"
)

// basicType returns which of the three types a data type is, or "" if it is
// none: too long, of another name, or with a label of other characters than
// names may have.
func basicType(dataType string) string {
	basic, label, labelled := strings.Cut(dataType, ".")
	switch {
	case basic != typeString && basic != typeNumber && basic != typeBinary,
		len(dataType) > attributeTypeBytesMax, labelled && label == "":
		return ""
	}
	for i := range len(label) {
		if !nameByte(label[i]) {
			return ""
		}
	}
	switch basic { // the constants, so that dataType need not be kept
	case typeString:
		return typeString
	case typeNumber:
		return typeNumber
	}
	return typeBinary
}

func nameByte(c byte) bool { return alphanumeric(c) || c == '_' || c == '-' || c == '.' }

// validAttributeName holds the rules for names: letters, digits, underscore,
// hyphen and period, no period at an end or beside another, and neither AWS.
// nor Amazon. in front, in whatever case.
func validAttributeName(name string) bool {
	if len(name) < 1 || len(name) > attributeNameBytesMax || name[0] == '.' || name[len(name)-1] == '.' {
		return false
	}
	for i := range len(name) {
		if !nameByte(name[i]) || name[i] == '.' && name[i-1] == '.' {
			return false
		}
	}
	return !hasFoldedPrefix(name, "aws.") && !hasFoldedPrefix(name, "amazon.")
}

func hasFoldedPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

const (
	numberDigitsMax   = 38
	numberExponentMax = 126
	numberExponentMin = -128
)

// validNumber reports whether s is a number as SQS takes it: decimal, of at
// most 38 significant digits, its magnitude zero or from 10^-128 to 10^126.
func validNumber(s string) bool {
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(s), "e")
	shift := 0
	if scientific {
		n, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return false
		}
		shift = int(n)
	}
	if mantissa != "" && (mantissa[0] == '+' || mantissa[0] == '-') {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	if digits == "" {
		return false
	}
	leading := len(digits) - len(strings.TrimLeft(digits, "0"))
	significant := strings.Trim(digits, "0")
	power := len(whole) - leading - 1 + shift // of ten, of the first digit that counts
	return significant == "" ||
		len(significant) <= numberDigitsMax && power >= numberExponentMin && power < numberExponentMax
}

// attributeFilter is what MessageAttributeNames asks for.
type attributeFilter struct {
	all      bool
	names    []string
	prefixes []string
}

// newAttributeFilter understands All, * and .* for everything, foo.* for the
// names that begin with foo, and names.
func newAttributeFilter(asked []string) attributeFilter {
	var f attributeFilter
	for _, name := range asked {
		prefix, isPrefix := strings.CutSuffix(name, ".*")
		switch {
		case name == "All" || name == "*" || isPrefix && prefix == "":
			f.all = true
		case isPrefix:
			f.prefixes = append(f.prefixes, prefix)
		default:
			f.names = append(f.names, name)
		}
	}
	return f
}

// none reports that nothing was asked for.
func (f *attributeFilter) none() bool { return !f.all && f.names == nil && f.prefixes == nil }

func (f *attributeFilter) wants(name string) bool {
	if f.all {
		return true
	}
	for _, n := range f.names {
		if n == name {
			return true
		}
	}
	for _, p := range f.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
