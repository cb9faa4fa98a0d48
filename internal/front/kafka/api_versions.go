package kafka

import (
	"regexp"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// ApiVersions (18), versions 0-4.
//
// Behaviour: lists the table of served APIs (KIP-35). A version that is not
// served is answered in the shape of version 0 with UNSUPPORTED_VERSION and the
// versions of ApiVersions itself, so that the client can ask again (KIP-511).
// The client's name and version are checked as Kafka does and go to the log.
//
// Deviations: Produce is listed from version 0 as Kafka lists it (KAFKA-18659)
// and served from 3. There are no features, finalized or not (KIP-584).
var _ = answer(wire.KeyApiVersions, apiVersions)

// clientSoftware is what KIP-511 allows in a client's name and version.
var clientSoftware = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func apiVersions(c *call, q *wire.ApiVersionsRequest) wire.Response {
	resp := new(wire.ApiVersionsResponse)
	resp.Default()
	if c.version >= 3 {
		if !clientSoftware.MatchString(q.ClientSoftwareName) || !clientSoftware.MatchString(q.ClientSoftwareVersion) {
			resp.ErrorCode = c.note(codeInvalidRequest)
			return resp
		}
		c.conn.software = q.ClientSoftwareName + " " + q.ClientSoftwareVersion
	}
	for _, key := range wire.Keys() {
		if a := served[key]; a != nil {
			resp.ApiKeys = append(resp.ApiKeys, apiRange(a))
		}
	}
	return resp
}

func apiRange(a *api) wire.ApiVersionsResponseApiVersion {
	return wire.ApiVersionsResponseApiVersion{ApiKey: int16(a.Key), MinVersion: a.low, MaxVersion: a.high}
}

// refuseVersion answers a version of ApiVersions that is not served.
func refuseVersion(c *call) {
	c.version = 0
	resp := new(wire.ApiVersionsResponse)
	resp.Default()
	resp.ErrorCode = c.note(codeUnsupportedVersion)
	resp.ApiKeys = []wire.ApiVersionsResponseApiVersion{apiRange(c.api)}
	c.finish(resp)
}
