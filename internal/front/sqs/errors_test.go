package sqs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

// Every error of the core has a place in SQS, whoever wraps it, and only what is
// our fault is called so.
func TestErrorsAreTotal(t *testing.T) {
	ours := map[fault.Code]bool{fault.Unknown: true, fault.Internal: true, fault.DataLoss: true, fault.Unavailable: true,
		fault.DeadlineExceeded: true, fault.Canceled: true, fault.Aborted: true, fault.ResourceExhausted: true}
	for _, code := range fault.Codes() {
		err := fmt.Errorf("wrapped: %w", fault.New(code, "text"))
		var e *aws.Error
		if !errors.As(asError(err), &e) || e.Shape == "" || e.Code == "" || e.Message == "" || e.Fault != ours[code] {
			t.Errorf("%s: %+v", code, e)
		}
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{catalog.ErrUnknownQueue, "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist 0"},
		{broker.ErrQueueDeleted, "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist 0"},
		{catalog.ErrQueueExists, "QueueAlreadyExists QueueNameExists 0"},
		{broker.ErrMessageTooLarge, "InvalidParameterValue InvalidParameterValueException 0"},
		{broker.ErrInFlightLimit, "OverLimit OverLimit 403"},
		{catalog.ErrLimit, "OverLimit OverLimit 403"},
		{record.ErrTooLarge, "InvalidParameterValue InvalidParameterValueException 0"},
		{fault.New(fault.ResourceExhausted, "disk is full"), "ServiceUnavailable ServiceUnavailableException 503"},
		{missingParameter("x"), "MissingParameter MissingRequiredParameterException 0"},
	} {
		var e *aws.Error
		if !errors.As(asError(fmt.Errorf("wrapped: %w", test.err)), &e) || fmt.Sprint(e.Code, " ", e.Shape, " ", e.Status) != test.want {
			t.Errorf("%v: %+v, want %s", test.err, e, test.want)
		}
	}
}

// modelled are the errors in SQS's model whose names differ in Query only by
// their prefix; SDKs know an error by its shape.
var modelled = regexp.MustCompile(`^(BatchEntryIdsNotDistinct|BatchRequestTooLong|EmptyBatchRequest|InvalidAttributeName|InvalidAttributeValue|` +
	`InvalidBatchEntryId|InvalidMessageContents|MessageNotInflight|OverLimit|QueueDoesNotExist|QueueNameExists|ReceiptHandleIsInvalid|RequestThrottled|` +
	`ResourceNotFoundException|TooManyEntriesInBatchRequest|UnsupportedOperation|PurgeQueueInProgress)$`)

// Every code in this package's source becomes a shape that SQS's model has, or one
// that all services share.
func TestCodesHaveShapes(t *testing.T) {
	source := regexp.MustCompile(`(?:&problem\{|batchProblem\()"([A-Za-z.]*[A-Za-z])"`)
	codes := map[string]bool{}
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range source.FindAllSubmatch(b, -1) {
			code := string(m[1])
			if strings.HasPrefix(string(m[0]), "batchProblem") {
				code = "AWS.SimpleQueueService." + code
			}
			codes[code] = true
		}
	}
	if len(codes) < 15 {
		t.Errorf("only %d codes were found: %v", len(codes), codes)
	}
	for code := range codes {
		var e *aws.Error
		if !errors.As(asError(&problem{code, "text"}), &e) {
			t.Errorf("%s is lost", code)
		} else if !e.Common && !modelled.MatchString(e.Shape) {
			t.Errorf("%s becomes %s, which SQS's model has not", code, e.Shape)
		}
	}
}
