package engine

import "time"

// Observer is told what a limiter does. Observe is called on the caller's goroutine, concurrently: it must be quick and
// must not call the limiter. Adapters for metrics and tracing live outside this package.
type Observer interface{ Observe(Event) }

// EventKind tells which fields of an [Event] mean something, besides Entity and Resource.
type EventKind uint8

// The kinds of events.
const (
	EventDecision      EventKind = iota + 1 // Allowed, Cached; Attempts: writes it took, 0 for one from memory
	EventStoreCall                          // Call, Latency, Requests and Units where the store tells them, Err
	EventDegraded                           // an acquire was admitted without the store; Err
	EventRefundLost                         // tokens that were to be refunded may stay charged: the outcome is unknown, or it was too late; Err, Tokens
	EventClockAhead                         // a bucket was written by a clock that is Ahead of ours by more than 10 s; without Entity, an audit event by more than a minute
	EventLargeRecord                        // a bucket costs more than one write unit; Bytes
	EventContention                         // a bucket was judged by the limits in its record, since others write it too fast to convert it
	EventStoreClock                         // the store's clock is Ahead of this machine's, or behind, by more than 2 s; once a minute
	EventRefresh                            // refreshing configuration in the background failed, or, without Entity, looking for its changes; Err
	EventSkipped                            // a list left out Skipped records or index entries that are not this library's, or cannot be read; Err: the first reason
	EventConfigChanged                      // another process has changed the configuration of Entity, or of Resource; without both, of the system or of anything
)

// Event is something that happened.
type Event struct {
	Kind             EventKind
	Entity, Resource string
	Allowed, Cached  bool
	Attempts         int
	Call             string // read, apply, commit, list, scan or sweep
	Latency          time.Duration
	Requests         int
	Units            float64
	Ahead            time.Duration
	Bytes            int
	Skipped          int
	Tokens           Tokens
	Err              error
}

func (l *Limiter) observe(e Event) {
	if l.opts.Observer != nil {
		l.opts.Observer.Observe(e)
	}
}
