package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const maxAnswer = 64 << 10 // bytes

// queue reads jobs from lines, and writes what became of them.
type queue struct {
	in   io.Reader
	lock sync.Mutex
	out  *json.Encoder
	bad  error
}

func newQueue(in io.Reader, out io.Writer) *queue { return &queue{in: in, out: json.NewEncoder(out)} }

// jobs reads jobs until ctx ends.
func (q *queue) jobs(ctx context.Context) <-chan job {
	all := make(chan job)
	go func() { // ends with the input, which nobody else reads
		defer close(all)
		lines := bufio.NewScanner(q.in)
		for lines.Scan() {
			var j job
			if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
				q.fail(fmt.Errorf("%w: %w", errBadJob, err))
				return
			}
			select {
			case all <- j:
			case <-ctx.Done():
				return
			}
		}
		if err := lines.Err(); err != nil {
			q.fail(err)
		}
	}()
	return all
}

func (q *queue) fail(err error) {
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.bad == nil {
		q.bad = err
	}
}

func (q *queue) err() error {
	q.lock.Lock()
	defer q.lock.Unlock()
	return q.bad
}

// report writes a line.
func (q *queue) report(j job, what outcome, err error) {
	line := struct {
		ID      string  `json:"id"`
		Outcome outcome `json:"outcome"`
		Error   string  `json:"error,omitempty"`
	}{ID: j.ID, Outcome: what}
	if err != nil {
		line.Error = err.Error()
	}
	q.lock.Lock()
	err = q.out.Encode(line)
	q.lock.Unlock()
	if err != nil {
		q.fail(err)
	}
}

// sender returns a function that sends a job to a URL. The answer tells the tokens that it has used.
func sender(url string) func(context.Context, job) (int64, error) {
	return func(ctx context.Context, j job) (int64, error) {
		body, err := json.Marshal(j)
		if err != nil {
			return 0, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err
		}
		defer func() { _ = answer.Body.Close() }()
		var used job
		if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&used); answer.StatusCode != http.StatusOK || err != nil {
			return 0, fmt.Errorf("%w: %s", errBadAnswer, answer.Status)
		}
		return used.Tokens, nil
	}
}
