package httplimit

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/quiet"
)

// New returns middleware that calls a handler for the requests that the limiter admits. It works with every router that takes
// func(http.Handler) http.Handler. It panics if an option can never work.
func New(limiter *engine.Limiter, o *Options) func(http.Handler) http.Handler {
	m := &middleware{limiter: limiter, Options: o.withDefaults()}
	if m.ErrorHandler == nil {
		m.ErrorHandler = m.writeProblem
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}
}

type middleware struct {
	limiter *engine.Limiter
	Options
	known [descriptions]atomic.Pointer[description]

	noLimits, failed, unsettled quiet.Line // each of its own, so that clients with invented resources hide no other line
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	cost, err := m.Cost(r)
	if err != nil {
		m.ErrorHandler(w, r, &costError{err})
		return
	}
	if len(cost) == 0 {
		next.ServeHTTP(w, r)
		return
	}
	entity := m.Key(r)
	if entity == "" {
		entity = clientAddress(r, m.TrustedProxies)
	}
	request := engine.Request{Entity: entity, Resource: m.Resource(r), Consume: cost, Limits: m.Limits}
	lease, err := m.limiter.Acquire(r.Context(), request)
	if err != nil {
		if statusOf(err) == http.StatusInternalServerError {
			m.logFailed(r.Context(), &request, err)
		}
		m.refuse(w, r, err)
		return
	}
	defer m.settle(r.Context(), lease) // also if the handler panics
	a := &admission{leaseContext: leaseContext{r.Context(), lease}}
	all := statusMemory.Get().(*[]engine.LimitStatus)
	*all = lease.AppendStatuses((*all)[:0])
	m.showStatuses(w.Header(), *all, entity, noCap, &a.values)
	statusMemory.Put(all)
	limited := r.WithContext(&a.leaseContext)
	defer returnFindings(r, limited)
	next.ServeHTTP(w, limited)
}

// returnFindings gives a request what its copy has found: the server removes the files of its form, and handlers outside of the
// middleware read its pattern.
func returnFindings(r, limited *http.Request) {
	r.MultipartForm, r.Pattern = limited.MultipartForm, limited.Pattern
}

// statusMemory is memory for the statuses of a lease, which are a third of what an admission would allocate.
var statusMemory = sync.Pool{New: func() any { return new([]engine.LimitStatus) }}

// admission is what an admitted request needs, in one piece of memory.
type admission struct {
	leaseContext
	values headerValues
}

// settle commits the lease, unless the handler has ended it.
func (m *middleware) settle(ctx context.Context, lease *engine.Lease) {
	if err := lease.Commit(ctx); err != nil && !errors.Is(err, engine.ErrLeaseClosed) {
		if omitted, due := m.unsettled.Due(m.Now()); due {
			m.Logger.WarnContext(ctx, "httplimit: the lease of a request was not settled; what it would have refunded refills",
				"error", err, "omitted", omitted)
		}
	}
}

// logFailed logs an error of the program, at most once a second.
func (m *middleware) logFailed(ctx context.Context, request *engine.Request, err error) {
	line := &m.failed
	if errors.Is(err, engine.ErrNoLimits) {
		line = &m.noLimits
	}
	if omitted, due := line.Due(m.Now()); due {
		m.Logger.ErrorContext(ctx, "httplimit: a request could not be limited",
			"error", err, "entity", request.Entity, "resource", request.Resource, "omitted", omitted)
	}
}

// refuse answers a request that was not admitted.
func (m *middleware) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var exceeded *engine.ExceededError
	switch {
	case errors.As(err, &exceeded):
		mostReset := noCap
		if !exceeded.NeverFits {
			if m.Style == IETF {
				mostReset = exceeded.RetryAfter // the draft wants no reset after Retry-After
			}
			w.Header().Set("Retry-After", strconv.Itoa(exceeded.RetryAfterSeconds()))
		}
		own := exceeded.Public().Statuses()
		if len(own) > 0 {
			m.showStatuses(w.Header(), own, own[0].Entity, mostReset, new(headerValues))
		}
	case isUnavailable(err):
		w.Header().Set("Retry-After", unavailableSeconds)
	}
	m.ErrorHandler(w, r, err)
}

// leaseContext is a request's context with its lease.
type leaseContext struct {
	context.Context
	lease *engine.Lease
}

type leaseKey struct{}

// Value implements [context.Context].
func (c *leaseContext) Value(key any) any {
	if key == (leaseKey{}) {
		return c.lease
	}
	return c.Context.Value(key)
}

// Lease returns the lease of the request whose context it is, for adjusting what the request has used, or nil if the request is
// not limited. The methods of a nil lease do nothing. The lease is committed when the handler returns: what the handler starts and
// does not wait for comes too late.
func Lease(ctx context.Context) *engine.Lease {
	lease, _ := ctx.Value(leaseKey{}).(*engine.Lease)
	return lease
}
