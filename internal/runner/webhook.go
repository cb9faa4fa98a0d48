package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

const (
	answerBytesMax      = 64 << 10 // read of an answer
	answerTextMax       = 200      // told of one that is a failure
	redirectsMax        = 5
	idleConnsMax        = 32
	connectTimeout      = 10 * time.Second
	answerHeaderByteMax = 64 << 10
)

func newClient() *http.Client {
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy:       http.ProxyFromEnvironment,
			DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext, TLSHandshakeTimeout: connectTimeout,
			MaxIdleConns: idleConnsMax, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: answerHeaderByteMax,
		},
	}
}

// checkRedirect follows what stays on the host and stays a POST: the headers may
// hold secrets that are the host's.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > redirectsMax || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host || next.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}

// post makes one request, which is a success if the answer is.
func (r *Runner) post(ctx context.Context, hook *trigger.Webhook, w *trigger.Work) error {
	timeout := hook.Timeout
	if timeout == 0 {
		timeout = trigger.WebhookTimeoutDefault
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	body, err := json.Marshal(factsOf(w))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range hook.Headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", w.RunID())
	req.Header.Set("User-Agent", "naru")
	resp, err := r.client.Do(req)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err // the URL may hold a secret
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax)) // so that the connection can be used again
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	return refusal(resp, answer)
}

func refusal(resp *http.Response, answer []byte) error {
	if to := resp.Header.Get("Location"); resp.StatusCode >= 300 && resp.StatusCode < 400 && to != "" {
		return fmt.Errorf("answer %s: a redirect to another host, or without the body, is not followed", resp.Status)
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(answer[:min(len(answer), answerTextMax)]), ""))
	if text == "" {
		return fmt.Errorf("answer %s", resp.Status)
	}
	return fmt.Errorf("answer %s: %s", resp.Status, text)
}
