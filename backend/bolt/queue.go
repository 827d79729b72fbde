package bolt

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
)

// batchMost is about how many writes one transaction takes in, so that nobody waits for more than that.
const batchMost = 1024

// request is what one caller wants of a batch.
type request struct {
	run    func(*batch) // judges, and notes what became of it where the caller looks once it is done
	size   int          // how many writes it has
	last   bool         // nothing may follow it
	err    error        // why its batch was not committed
	signal chan bool    // true: lead; false: done

	taken bool // into a batch; guarded by the queue
	leads bool // was told to lead; guarded by the queue
}

// queue is of those who wait for a batch. One of them leads, if there is any.
type queue struct {
	commit func([]*request)

	lock    sync.Mutex
	waiting []*request
	led     bool
	closed  bool
}

// do waits until r was committed, or failed to be. Its error tells that the caller did not wait so long: the request
// was not picked up where the error is the context's own, and is out of the caller's hands where it is ErrOutcomeUnknown.
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
		runtime.Gosched() // let those whom the batch before has answered come again, and share this one
		q.lead(r)
	}
	return r.err
}

// leave takes a request out of the queue if it is still there.
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

// lead commits everything that waits, r first, and hands on the lead.
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
