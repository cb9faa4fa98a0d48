package kafka

// RequestHeader goes before every request (versions 1 and 2).
type RequestHeader struct {
	RequestApiKey     APIKey
	RequestApiVersion int16
	CorrelationId     int32
	ClientId          *string
}

// Decode reads a header, whose own version follows from the API version: 2 from the first flexible one on, else 1.
// Of a request with an unknown key or a version below the table's, nobody knows the header's version: the tagged
// fields, if there are any, are then left in r. Key, version and correlation id are set even when a later field is
// malformed, so that an error can be answered.
//
// A client sends the same id each time: decoding into the same RequestHeader again then allocates nothing.
func (h *RequestHeader) Decode(r *Reader) {
	h.RequestApiKey = APIKey(r.int16())
	h.RequestApiVersion = r.int16()
	h.CorrelationId = r.int32()
	// The length of the client id is never compact: brokers of any age must be able to read an ApiVersions request.
	h.setClientID(r)
	if APIs[h.RequestApiKey].IsFlexible(h.RequestApiVersion) {
		r.skipTags()
	}
}

func (h *RequestHeader) setClientID(r *Reader) {
	n := r.length(false, false, true)
	if n < 0 {
		h.ClientId = nil
		return
	}
	b := r.take(n)
	if h.ClientId != nil && *h.ClientId == string(b) {
		return
	}
	s := string(b)
	h.ClientId = &s
}

// Append writes a header, for clients.
func (h *RequestHeader) Append(w *Writer) {
	w.int16(int16(h.RequestApiKey))
	w.int16(h.RequestApiVersion)
	w.int32(h.CorrelationId)
	w.nullString(false, true, h.ClientId)
	if APIs[h.RequestApiKey].IsFlexible(h.RequestApiVersion) {
		w.tags()
	}
}

// responseHeaderTagged says whether the response's header ends in tagged fields (version 1).
func responseHeaderTagged(key APIKey, version int16) bool {
	// ApiVersions: KIP-511, see doc.go.
	return key != KeyApiVersions && APIs[key].IsFlexible(version)
}

// AppendResponse makes w hold one whole frame: size, header, response. It resets w first. The error wraps ErrTooLong.
func AppendResponse(w *Writer, key APIKey, version int16, correlation int32, m Response) error {
	w.begin()
	w.int32(correlation)
	if responseHeaderTagged(key, version) {
		w.tags()
	}
	m.Append(version, w)
	return w.finish()
}

// AppendRequest makes w hold one whole frame: size, header, request. It resets w first; for clients.
func AppendRequest(w *Writer, h *RequestHeader, m Request) error {
	w.begin()
	h.Append(w)
	m.Append(h.RequestApiVersion, w)
	return w.finish()
}

// DecodeResponseHeader reads the header of a response to a request of that key and version; for clients.
func DecodeResponseHeader(key APIKey, version int16, r *Reader) (correlation int32) {
	correlation = r.int32()
	if responseHeaderTagged(key, version) {
		r.skipTags()
	}
	return correlation
}
