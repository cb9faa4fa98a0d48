package sqs

import (
	"bytes"
	"encoding/xml"
)

// appendXMLText appends an element with text.
func appendXMLText[T text](b *bytes.Buffer, name string, s T) {
	b.WriteByte('<')
	b.WriteString(name)
	b.WriteByte('>')
	// Line breaks and tabs become character references: a parser would turn
	// carriage returns into line feeds, and digests would differ.
	_ = xml.EscapeText(b, []byte(s)) // a buffer takes everything
	b.WriteString("</")
	b.WriteString(name)
	b.WriteByte('>')
}

// writeXML writes the message as an element of a Query answer.
func (m *received) writeXML(b *bytes.Buffer) {
	b.WriteString("<Message>")
	appendXMLText(b, "MessageId", m.id.String())
	appendXMLText(b, "ReceiptHandle", m.handle)
	appendXMLText(b, "MD5OfBody", m.bodyMD5)
	appendXMLText(b, "Body", m.body)
	for _, v := range m.system {
		b.WriteString("<Attribute>")
		appendXMLText(b, "Name", v.name.String())
		appendXMLText(b, "Value", v.value)
		b.WriteString("</Attribute>")
	}
	if m.md5 != "" {
		appendXMLText(b, "MD5OfMessageAttributes", m.md5)
	}
	for i := range m.attributes {
		a := &m.attributes[i]
		b.WriteString("<MessageAttribute>")
		appendXMLText(b, "Name", a.name)
		b.WriteString("<Value>")
		appendXMLText(b, "DataType", a.dataType)
		if a.binary() {
			appendXMLText(b, "BinaryValue", appendBase64(nil, a.value))
		} else {
			appendXMLText(b, "StringValue", a.value)
		}
		b.WriteString("</Value></MessageAttribute>")
	}
	b.WriteString("</Message>")
}
