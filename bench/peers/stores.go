package peers

import (
	"context"
	"math"
	"net/http"

	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
)

// throttledPeer is github.com/throttled/throttled on its memory store, one store per limit.
type throttledPeer struct {
	names names
	a, b  *throttled.GCRARateLimiterCtx
}

func newThrottled(l limits) peer {
	one := func(l limit) *throttled.GCRARateLimiterCtx {
		store, err := memstore.NewCtx(0)
		must(err)
		quota := throttled.RateQuota{MaxRate: throttled.PerDuration(1, l.Every), MaxBurst: int(l.Capacity) - 1}
		limiter, err := throttled.NewGCRARateLimiterCtx(store, quota)
		must(err)
		// The default gives up after ten lost races, with an error; a hot key needs an answer.
		limiter.SetMaxCASAttemptsLimit(math.MaxInt)
		return limiter
	}
	return &throttledPeer{names: keyNames(), a: one(l[0]), b: one(l[1])}
}

func (t *throttledPeer) Allow2(key int) bool {
	name := t.names.at(key)
	return t.allow(t.a, name) && t.allow(t.b, name)
}

func (*throttledPeer) allow(l *throttled.GCRARateLimiterCtx, name string) bool {
	limited, _, err := l.RateLimitCtx(context.Background(), name, 1)
	must(err)
	return !limited
}

func (*throttledPeer) Close() {}

// sethvargo is github.com/sethvargo/go-limiter on its memory store, one store per limit.
type sethvargo struct {
	names names
	a, b  limiter.Store
}

func newSethvargo(l limits) peer {
	one := func(l limit) limiter.Store {
		store, err := memorystore.New(&memorystore.Config{Tokens: uint64(l.Capacity), Interval: l.window()})
		must(err)
		return store
	}
	return &sethvargo{names: keyNames(), a: one(l[0]), b: one(l[1])}
}

func (s *sethvargo) Allow2(key int) bool {
	name := s.names.at(key)
	return s.allow(s.a, name) && s.allow(s.b, name)
}

func (*sethvargo) allow(store limiter.Store, name string) bool {
	_, _, _, ok, err := store.Take(context.Background(), name)
	must(err)
	return ok
}

func (s *sethvargo) Close() {
	must(s.a.Close(context.Background()))
	must(s.b.Close(context.Background()))
}

// httpRate is github.com/go-chi/httprate, one limiter per limit, with its response headers off. It keeps a hash of the
// key only.
type httpRate struct {
	names names
	a, b  *httprate.RateLimiter
	req   *http.Request
}

func newHTTPRate(l limits) peer {
	one := func(l limit) *httprate.RateLimiter {
		return httprate.NewRateLimiter(int(l.Capacity), l.window(), httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
	}
	req, err := http.NewRequest(http.MethodGet, "/", http.NoBody)
	must(err)
	return &httpRate{names: keyNames(), a: one(l[0]), b: one(l[1]), req: req}
}

func (h *httpRate) Allow2(key int) bool {
	name := h.names.at(key)
	return !h.a.OnLimit(nil, h.req, name) && !h.b.OnLimit(nil, h.req, name)
}

func (*httpRate) Close() {}
