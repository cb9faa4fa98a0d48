// Package aws is what the front ends of AWS services share: one HTTP endpoint,
// the signature of requests (SigV4), the envelopes (AWS JSON 1.0 and 1.1, CBOR, and
// the older Query protocol with its XML answers), event streams, request ids and
// errors.
//
//	POST /            X-Amz-Target: AmazonSQS.SendMessage     {"QueueUrl": …}
//	POST /            X-Amz-Target: Kinesis_20131202.PutRecord  a1 6a StreamName … (CBOR)
//	POST /service/Kinesis_20131202/operation/PutRecord          the same (Smithy RPC v2)
//	POST /            Action=SendMessage&Version=2012-11-05&QueueUrl=…
//	GET  /1/q?Action=SendMessage&…                             (Query, as old tools do)
//
// A request becomes a Call, a Service answers it with the bytes of the document
// that the protocol wants, and an *Error is put into the protocol's own form here
// and nowhere else.
package aws
