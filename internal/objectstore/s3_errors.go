package objectstore

import (
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/narumq/naru/internal/fault"
)

// refusals are the error codes of S3 that say more than their status.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var refusals = map[string]error{
	"PreconditionFailed":          ErrExists,
	"NoSuchKey":                   ErrNotFound,
	"NotFound":                    ErrNotFound, // of a HEAD, whose answer has no body
	"NoSuchBucket":                ErrNoBucket,
	"PermanentRedirect":           ErrNoBucket, // it is in another region
	"TemporaryRedirect":           ErrUnavailable,
	"AccessDenied":                ErrDenied,
	"ExpiredToken":                ErrDenied,
	"InvalidToken":                ErrDenied,
	"SlowDown":                    ErrThrottled,
	"RequestLimitExceeded":        ErrThrottled,
	"Throttling":                  ErrThrottled,
	"ThrottlingException":         ErrThrottled,
	"BadDigest":                   ErrUnavailable, // damaged on the way
	"XAmzContentSHA256Mismatch":   ErrUnavailable,
	"XAmzContentChecksumMismatch": ErrUnavailable,
	"IncompleteBody":              ErrUnavailable,
	"RequestTimeout":              ErrUnavailable, // the body came too slowly; a 400
	"ConditionalRequestConflict":  ErrUnavailable, // a delete came in between; a 409
	"OperationAborted":            ErrUnavailable,
}

// classify gives an error of the SDK its class. It keeps the text.
func classify(kind OpKind, err error) error {
	if fault.CodeOf(err) != fault.Unknown { // ours already
		return err
	}
	var api smithy.APIError
	var response *awshttp.ResponseError
	code, status := "", 0
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	if class, known := refusals[code]; known && (class != ErrExists || kind == OpPut) {
		return fmt.Errorf("%w: %w", class, err)
	}
	return fmt.Errorf("%w: %w", classOf(kind, status), err)
}

// classOf is what a status says for itself.
func classOf(kind OpKind, status int) error {
	switch status {
	case http.StatusPreconditionFailed:
		if kind == OpPut {
			return ErrExists
		}
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusTooManyRequests:
		return ErrThrottled
	case http.StatusMovedPermanently:
		return ErrNoBucket
	case http.StatusNotImplemented:
		if kind == OpPut {
			return ErrNoConditions
		}
	case http.StatusBadRequest:
		return ErrInvalid
	}
	return ErrUnavailable
}

// refusal classes an error of one object in a request for several.
func refusal(code string, err error) error {
	if class, known := refusals[code]; known {
		return fmt.Errorf("%w: %w", class, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// beyondEnd tells whether a range begins where the object has ended.
func beyondEnd(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusRequestedRangeNotSatisfiable
}
