package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	wire "github.com/narumq/naru/internal/wire/aws"
)

// commonErrorsNS is the namespace of errors that are not a service's own.
const commonErrorsNS = "com.amazon.coral.service"

// serve has a call answered. An error says that nothing was sent yet.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, service Service, c *Call) error {
	if t, ok := service.(Streamer); ok && t.Streams(c.Action) {
		return s.serveStream(w, r, t, c)
	}
	doc, err := service.Serve(r.Context(), c)
	if err != nil {
		return err
	}
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{c.RequestID}
	if c.JSON {
		c.encoding.describe(h)
	} else {
		h["Content-Type"] = []string{"text/xml"}
		_, ns := service.Namespace()
		var b bytes.Buffer
		fmt.Fprintf(&b, `<?xml version="1.0"?><%sResponse xmlns="%s">`, c.Action, ns)
		b.Write(doc)
		fmt.Fprintf(&b, `<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>`, c.RequestID, c.Action)
		doc = b.Bytes()
	}
	w.Write(doc)
	return nil
}

// refuse sends an error in the form of the call's protocol.
func (s *Server) refuse(w http.ResponseWriter, service Service, c *Call, err error) {
	e := s.explain(c, err)
	h := w.Header()
	h.Set("X-Amzn-Requestid", c.RequestID)
	shapes, ns := commonErrorsNS, ""
	if service != nil {
		var own string
		if own, ns = service.Namespace(); !e.Common || own == "" {
			shapes = own
		}
	}
	if !c.JSON {
		h.Set("Content-Type", "text/xml")
		w.WriteHeader(e.status())
		fmt.Fprintf(w, `<?xml version="1.0"?><ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message><Detail/></Error><RequestId>%s</RequestId></ErrorResponse>`,
			ns, e.party(), escapeXML(e.code()), escapeXML(e.Message), c.RequestID)
		return
	}
	c.encoding.describe(h)
	shape := e.Shape
	if shapes != "" {
		shape = shapes + "#" + shape
	}
	if ns != "" || service == nil { // of a service that has a Query protocol too
		h.Set("X-Amzn-Query-Error", e.code()+";"+e.party())
	} else {
		h.Set("X-Amzn-Errortype", e.Shape)
	}
	w.WriteHeader(e.status())
	w.Write(c.encoding.errorDoc(shape, e.Message))
}

// explain finds what to tell the client of an error. If nobody is there to be
// told, it does not return.
func (s *Server) explain(c *Call, err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) {
			panic(http.ErrAbortHandler)
		}
		s.cfg.Log.Error("aws: unexpected error", "action", c.Action, "err", err)
		e = internalError()
	}
	if e.status() == http.StatusInternalServerError {
		s.cfg.Log.Error("aws: call failed", "action", c.Action, "request", c.RequestID, "err", e.Message)
	}
	return e
}

// errorDoc is an error as a document.
func (e encoding) errorDoc(shape, message string) []byte {
	out := struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{shape, message}
	if e.cbor {
		return wire.EncodeCBOR(nil, out, e.millis)
	}
	doc, _ := json.Marshal(out)
	return doc
}

func escapeXML(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
