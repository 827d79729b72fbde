package bolt

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
)

// batchMost is about the largest number of writes in one transaction, so that no writer waits for more than that.
const batchMost = 1024

// request is the part of one caller in a batch.
type request struct {
	run    func(*batch) // checks and applies the writes, and keeps the outcome for the caller
	size   int          // the number of its writes
	last   bool         // no request may follow it
	err    error        // why its batch was not committed
	signal chan bool    // receives true if the caller becomes the leader, false if the request is done

	taken bool // into a batch; guarded by the queue
	leads bool // was told to lead; guarded by the queue
}

// queue holds the requests that wait for a batch. One of their callers is the leader, if there are any.
type queue struct {
	commit func([]*request)

	lock    sync.Mutex
	waiting []*request
	led     bool
	closed  bool
}

// do waits until the batch of r was committed, and returns why it was not. If ctx ends before, it returns ctx's error if
// the request was not taken into a batch, and ErrOutcomeUnknown if it was.
func (q *queue) do(ctx context.Context, r *request) error {
	r.signal = make(chan bool, 1)
	q.lock.Lock()
	if q.closed {
		q.lock.Unlock()
		return backend.ErrClosed
	}
	q.closed = r.last
	q.waiting = append(q.waiting, r)
	lead := !q.led
	q.led = true
	q.lock.Unlock()
	if !lead {
		select {
		case lead = <-r.signal:
		case <-ctx.Done():
			if err := q.leave(r, ctx.Err()); err != nil {
				return err
			}
		}
	}
	if lead {
		runtime.Gosched() // lets the writers of the batch before send their next writes, which then are in this batch
		q.lead(r)
	}
	return r.err
}

// leave removes a request from the queue, if it is still there.
func (q *queue) leave(r *request, cause error) error {
	q.lock.Lock()
	defer q.lock.Unlock()
	if r.taken {
		select {
		case <-r.signal:
			return nil // it is done already
		default:
			return errUnknown(cause)
		}
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(o *request) bool { return o == r })
	if r.leads {
		q.handOnLocked()
	}
	return cause
}

// lead commits all requests that wait, r first, and makes the next caller the leader.
func (q *queue) lead(r *request) {
	q.lock.Lock()
	n, size := 0, 0
	for n < len(q.waiting) && (n == 0 || size+q.waiting[n].size <= batchMost) {
		size += q.waiting[n].size
		q.waiting[n].taken = true
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.lock.Unlock()
	q.commit(batch)
	for _, other := range batch {
		if other != r {
			other.signal <- false
		}
	}
	q.lock.Lock()
	q.handOnLocked()
	q.lock.Unlock()
}

func (q *queue) handOnLocked() {
	if len(q.waiting) == 0 {
		q.led, q.waiting = false, nil
		return
	}
	q.waiting[0].leads = true
	q.waiting[0].signal <- true
}
