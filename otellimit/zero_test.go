package otellimit_test

import (
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

// What rarely happens is counted from 0, so that Prometheus sees the first event: other events from the start, degraded decisions and
// lost refunds from the first admission.
func TestCountersBeginWithZero(t *testing.T) {
	observer, read := observeAll(t, nil)
	want := map[string]float64{}
	for _, kind := range strings.Fields("clock_ahead large_record contention store_clock refresh skipped config_changed usage_lost") {
		want["events{kind="+kind+"}"] = 0
	}
	equal(t, read(), want)
	if n := len(read()); n != len(want) {
		t.Errorf("there are %d series, not %d", n, len(want))
	}

	observer.Observe(admission("api", engine.Tokens{"rpm": 1}))
	got := read()
	for _, name := range []string{"degraded{resource=api}", "refunds.lost{limit=rpm,resource=api}"} {
		if n, begun := got[name]; n != 0 || !begun {
			t.Errorf("%s is %v in %v", name, n, got)
		}
	}

	for kind := engine.EventDecision; kind <= engine.EventUsageLost; kind++ {
		observer.Observe(engine.Event{
			Kind: kind, Entity: "a", Resource: "api", Tokens: engine.Tokens{"rpm": 1}, Call: "read", Requests: 1, Units: 1, Err: backend.ErrRejected,
		})
	}
	for name := range read() {
		_, begun := got[name]
		if rare := strings.HasPrefix(name, "events") || strings.HasPrefix(name, "degraded") || strings.HasPrefix(name, "refunds"); rare && !begun {
			t.Errorf("%s begins with its first event", name)
		}
	}
}
