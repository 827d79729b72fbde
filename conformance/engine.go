package conformance

import (
	"strings"
	"testing"
)

// outcome is something that users of the limiter can rely on over any store, and the stories that prove it.
type outcome struct {
	name    string
	means   string   // what users can rely on
	needs   []string // the promises of the contract on which it depends most
	stories stories
	io      bool // they make the store fail or wait, so it cannot be one without I/O
}

// stories are the subtests of one outcome.
type stories []struct {
	name string
	tell func(*engineTest)
}

// outcomes are what RunEngine proves. Outcomes that no store decides are proved by the tests of package engine.
var outcomes = []outcome{
	{
		name: "Vectors", stories: vectors, needs: []string{"RoundTrip", "Verdict"},
		means: "every decision, wait and balance equals that of the ideal bucket, computed elsewhere in rational numbers.",
	},
	{
		name: "AdmitsExactly", stories: admitsExactly, needs: []string{"OneMoment", "Verdict"},
		means: "of a limit of C exactly C are admitted while no time passes, however many processes ask at once.",
	},
	{
		name: "Saturation", stories: saturation, io: true, needs: []string{"OneMoment", "Verdict"},
		means: "callers who ask for more than there is get all of it and no more, while calls take time and clocks disagree.",
	},
	{
		name: "NeverOverAdmits", stories: neverOverAdmits, needs: []string{"OneMoment", "Verdict", "Cancelled"},
		means: "whatever goes wrong, never more is admitted than capacity and refill allow.",
	},
	{
		name: "LimitsChangeLive", stories: liveChanges, needs: []string{"ReadOwnCommit", "Verdict"},
		means: "limits that several processes change and use at once are followed, and what was used stays used.",
	},
	{
		name: "AllLegalNames", stories: legalNames, needs: []string{"Apart", "Limits", "Views"},
		means: "every legal name works in every operation, and names that look alike stay apart.",
	},
	{
		name: "RecordsBeginAndEnd", stories: records, io: true, needs: []string{"AllOrNothing", "Expiry", "Views"},
		means: "no removal, reset or refund harms what was written after it, and buckets are kept as long as they are needed.",
	},
	{
		name: "ListsSkipUnreadable", stories: listsSkip, needs: []string{"Errors", "Views"},
		means: "a record that cannot be read fails no list, deletion or purge.",
	},
	{
		name: "Configuration", stories: configuration, needs: []string{"Views", "ReadOwnCommit", "AllOrNothing"},
		means: "what is stored is found again, listed and audited.",
	},
	{
		name: "Outages", stories: outages, io: true, needs: []string{"Errors", "Verdict"},
		means: "what processes admit by themselves while the store is away is counted and charged once when it is back.",
	},
	{
		name: "RecordsLevelOff", stories: levelling, needs: []string{"Expiry"},
		means: "a store from which expired records are swept does not grow for ever.",
	},
}

// RunEngine proves that a limiter over the stores of open keeps what its users rely on. It has one parallel subtest for each
// outcome, and below it one for each story, with a store of its own. The stores must keep the contract of package backend:
// see [Run]. Stories that need a capability which the store does not have say so in the log and prove nothing.
func RunEngine(t *testing.T, open Open) { runEngine(t, open, false) }

// RunEngineBriefly is RunEngine for stores whose calls take milliseconds: it runs all stories, and makes fewer calls in
// the long ones.
func RunEngineBriefly(t *testing.T, open Open) { runEngine(t, open, true) }

func runEngine(t *testing.T, open Open, brief bool) {
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range o.stories {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					explain(t, o.failed())
					r := newEngineTest(t, open)
					r.brief = brief
					if o.io {
						r.slow()
					}
					if !o.io && !r.noIO && strings.HasSuffix(s.name, "WithIO") {
						return // the store has I/O anyway, so that another story has proved this
					}
					s.tell(r)
				})
			}
		})
	}
}
