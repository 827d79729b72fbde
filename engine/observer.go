package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Observer receives the events of a limiter. Observe is called on the caller's goroutine, concurrently: it must be quick and
// must not call the limiter. Adapters for metrics and tracing live outside this package.
type Observer interface{ Observe(Event) }

// EventKind is the kind of an [Event]. The comment of each kind names the fields that are set besides Entity and Resource.
type EventKind uint8

// The kinds of events.
const (
	EventDecision      EventKind = iota + 1 // Allowed, Leased, Cached, Degraded, Tokens: the request's; Attempts: writes it took, 0 for one from memory; Waited: by Wait, how long its caller has waited; of a denial also Limit, Level and Denier
	EventStoreCall                          // Call, Latency, Requests and Units where the store tells them, Err
	EventDegraded                           // an acquire was admitted without the store; Err. Under PolicyLocal there is an EventDecision, too
	EventRefundLost                         // tokens that were to be refunded may stay charged, or counted as used: the outcome is unknown, or it was too late; Err, Tokens
	EventClockAhead                         // a bucket was written by a clock that is Ahead of ours by more than 10 s; without Entity, an audit event by more than a minute
	EventLargeRecord                        // a bucket costs more than one write unit; Bytes
	EventContention                         // a bucket was judged by the limits in its record, since others write it too fast to convert it
	EventStoreClock                         // the store's clock is Ahead of this machine's, or behind, by more than 2 s; once a minute
	EventRefresh                            // refreshing configuration in the background failed, or, without Entity, looking for its changes; Err
	EventSkipped                            // a list left out Skipped records or index entries that are not this library's, or cannot be read; Err: the first reason
	EventConfigChanged                      // another process has changed the configuration of Entity, or of Resource; without both, of the system or of anything
	EventLeaseEnded                         // Commit, which sets Allowed, or Rollback of a lease was called for the first time, whatever it returned; Held
	EventUsageLost                          // usage that may not be counted in the store: its limit was removed, the limiter closed before it was written, or with prefetch it could not be, or the outcome of the write is unknown; Tokens, Err
)

var kindNames = [...]string{
	"", "decision", "store_call", "degraded", "refund_lost", "clock_ahead", "large_record", "contention", "store_clock", "refresh", "skipped", "config_changed", "lease_ended", "usage_lost",
}

// String returns the kind's name in lower case, such as "refund_lost", for logs and as an attribute of metrics.
func (k EventKind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "event_" + strconv.Itoa(int(k))
	}
	return kindNames[k]
}

// Event is something that happened.
type Event struct {
	Kind             EventKind
	Entity, Resource string
	Allowed          bool
	Cached           bool   // decided from memory, without a call to the store
	Leased           bool   // of an admission: its caller holds a lease, until EventLeaseEnded
	Degraded         bool   // decided by a local bucket, without the store: PolicyLocal
	Limit            string // the name of the limit that decided a denial: ExceededError.Primary
	Level            Level  // the level that the limit comes from
	Denier           string // whose limit it is: Entity, or one of its parents
	Attempts         int
	Call             string // read, apply, commit, list, scan or sweep
	Latency          time.Duration
	Waited           time.Duration
	Held             time.Duration // from the acquire until the lease ended
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

// kindOf has the kinds of events that are reports of the charger.
var kindOf = [...]EventKind{
	charge.Contention: EventContention, charge.ClockAhead: EventClockAhead, charge.LargeRecord: EventLargeRecord, charge.RefreshFailed: EventRefresh,
	charge.RefundLost: EventRefundLost, charge.UsageLost: EventUsageLost,
}

// reportBucket tells the observer what happens to a bucket, and the operator of a clock that is far ahead.
func (l *Limiter) reportBucket(ctx context.Context, r charge.Report) {
	id := r.Bucket
	l.observe(Event{Kind: kindOf[r.Kind], Entity: id.Entity, Resource: id.Resource, Ahead: r.Ahead, Bytes: r.Bytes, Tokens: r.Tokens, Err: r.Err})
	if r.Kind == charge.ClockAhead {
		l.warn(ctx, r.Now, "limiter: a bucket was written by a clock that is ahead of this one; resetting it heals it",
			"entity", id.Entity, "resource", id.Resource, "ahead", r.Ahead)
	}
}

// observeDecision reports a decision, with what it took.
func (l *Limiter) observeDecision(a *attempt, r *Request, admitted bool) {
	e := Event{Kind: EventDecision, Entity: r.Entity, Resource: r.Resource, Allowed: admitted, Leased: admitted && r.leases, Tokens: r.Consume}
	for i := range a.N {
		e.Attempts += a.Charges[i].Tries
	}
	if r.waitingSince != 0 {
		e.Waited = max(0, time.Duration(a.Now-r.waitingSince))
	}
	e.Cached = e.Attempts == 0 && (a.Takes || a.local) // a request of zeros is decided by reading
	e.Degraded = a.local
	if !admitted {
		l.observeDenial(a, &e)
	}
	l.observe(e)
}

// denialIsFinal reports whether the caller gets a denial of the attempt. A caller of Wait asks first, and then waits.
func (a *attempt) denialIsFinal(ctx context.Context) bool {
	return a.waitingSince == 0 || a.Beyond || ctx.Err() != nil
}

// observeEnd says that a lease has ended, once: also if it could not be settled, because its caller may not try again.
func (lease *Lease) observeEnd(committed bool) {
	if lease.observed {
		return
	}
	lease.observed = true
	l, id := lease.l, &lease.held.Root().ID
	if l.opts.Observer != nil {
		held := max(0, time.Duration(l.clock.now()-lease.chargedAt))
		l.observe(Event{Kind: EventLeaseEnded, Entity: id.Entity, Resource: id.Resource, Allowed: committed, Held: held})
	}
}

// observeDenial says in e which limit decided a denial.
func (l *Limiter) observeDenial(a *attempt, e *Event) {
	if c, i := a.OnlyDenier(); c != nil {
		e.decidedBy(c, &c.Assumed.Terms[i])
		return
	}
	var s charge.Snapshot
	if _, _, err := a.Fill(l.charger, &s); err != nil {
		return // the caller gets the error
	}
	decides := s.Decisive()
	for i := range a.N {
		if c := &a.Charges[i]; decides != nil && &c.State.ID == decides.ID {
			e.decidedBy(c, &decides.Set.Terms[decides.Index])
		}
	}
}

func (e *Event) decidedBy(c *charge.Charge, limit *schema.Term) {
	e.Limit, e.Denier, e.Level = limit.Name, c.State.ID.Entity, Level(c.Config.Level)
	if limit.Brought {
		e.Level = LevelRequest
	}
}
