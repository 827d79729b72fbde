package otellimit_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

func admission(resource string, tokens engine.Tokens) engine.Event {
	return engine.Event{Kind: engine.EventDecision, Entity: "a", Resource: resource, Allowed: true, Attempts: 1, Tokens: tokens}
}

// The series of admissions are bounded, and what has none of its own counts among the others.
func TestCardinalityOfAdmissions(t *testing.T) {
	observer, read := observe(t, &otellimit.Options{MaxSeries: 2})
	for _, resource := range []string{"a", "b", "c", "a", "d"} {
		observer.Observe(admission(resource, engine.Tokens{"rpm": 2}))
	}
	want := map[string]float64{}
	for resource, n := range map[string]float64{"a": 2, "b": 1, "_other": 2} {
		want["decisions{outcome=admitted,resource="+resource+",source=store}"] = n
		want["decision.attempts{outcome=admitted,resource="+resource+",source=store}"] = n
	}
	want["tokens{limit=rpm,resource=a}"], want["tokens{limit=rpm,resource=b}"], want["tokens{resource=_other}"] = 4, 2, 4
	equal(t, read(), want)
}

// Nothing is lost if many goroutines admit to many resources, some of which share a slot, with more limits than are remembered.
func TestConcurrentAdmissions(t *testing.T) {
	observer, read := observe(t, &otellimit.Options{MaxSeries: 10_000})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 2000 {
				observer.Observe(admission(fmt.Sprint(i%50), engine.Tokens{fmt.Sprint("limit-", i/100): 3, "rpm": 1}))
			}
		})
	}
	group.Wait()
	got := read()
	for resource := range 50 {
		for name, want := range map[string]float64{
			fmt.Sprintf("decisions{outcome=admitted,resource=%d,source=store}", resource): 320,
			fmt.Sprintf("tokens{limit=rpm,resource=%d}", resource):                        320,
			fmt.Sprintf("tokens{limit=limit-7,resource=%d}", resource):                    48,
			fmt.Sprintf("tokens{limit=limit-19,resource=%d}", resource):                   48,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	}
}
