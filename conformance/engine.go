package conformance

import (
	"strings"
	"testing"
)

// outcome is something that users of the engine can rely on over any store, and the stories that prove it.
type outcome struct {
	name    string
	stories stories
	io      bool // they make the store fail or wait, so it cannot be one without I/O
}

// stories are the subtests of one outcome.
type stories []struct {
	name string
	tell func(*rig)
}

// outcomes are what RunEngine proves, by the number that the project has given them.
//
//	 1  AdmitsExactly
//	 2  Saturation, RequestsPerDecision, NeverOverAdmits
//	 3  SlowLimitBesideBusyOne
//	 4  LimitsChangeLive, TrueDenials
//	 5  AllLegalNames
//	 6  LeasesOnEveryPath
//	 7  RefusesBadInput, NeverFits
//	 8  LostReplies, GiveBacks, Settling
//	 9  ParentsInAllStates
//	10  CrashInsideALease
//	11  UnavailableWithinBudget
//	13  OneRecordForAMillion
//	15  ReadsWriteNothing
//	–   ListsSkipUnreadable
//	–   Configuration: what is stored is found again, listed and audited
//	–   RecordsBeginAndEnd: no removal, reset or refund harms what came after it, and buckets are kept as long as needed
//	–   RecordsLevelOff: a store does not grow for ever
//	–   Vectors: every decision, wait and balance equals that of the ideal bucket
var outcomes = []outcome{
	{"Vectors", vectors, false},
	{"AdmitsExactly", admitsExactly, false},
	{"Saturation", saturation, true},
	{"RequestsPerDecision", requestsPerDecision, false},
	{"NeverOverAdmits", neverOverAdmits, false},
	{"SlowLimitBesideBusyOne", slowLimits, false},
	{"LimitsChangeLive", liveChanges, false},
	{"AllLegalNames", legalNames, false},
	{"LeasesOnEveryPath", leases, false},
	{"RefusesBadInput", badInput, false},
	{"NeverFits", neverFits, false},
	{"TrueDenials", truth, true},
	{"LostReplies", lostReplies, true},
	{"GiveBacks", giveBacks, true},
	{"Settling", settling, false},
	{"ParentsInAllStates", parents, false},
	{"CrashInsideALease", crashes, true},
	{"UnavailableWithinBudget", outages, true},
	{"OneRecordForAMillion", million, false},
	{"RecordsBeginAndEnd", records, true},
	{"ReadsWriteNothing", readOnly, false},
	{"ListsSkipUnreadable", listsSkip, false},
	{"Configuration", configuration, false},
	{"RecordsLevelOff", levelling, false},
}

// RunEngine proves that the engine does over the stores that open gives what its users rely on: one parallel subtest
// for each outcome, and below it one for each story, with a store of its own. The stores need to keep the contract of
// package backend: see [Run].
func RunEngine(t *testing.T, open Open) { runEngine(t, open, false) }

// RunEngineBriefly is RunEngine for stores of which a call takes milliseconds: all stories, the long ones with a part of
// their calls.
func RunEngineBriefly(t *testing.T, open Open) { runEngine(t, open, true) }

func runEngine(t *testing.T, open Open, brief bool) {
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range o.stories {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					r := newRig(t, open)
					r.brief = brief
					if o.io {
						r.slow()
					}
					if !o.io && !r.noIO && strings.HasSuffix(s.name, "WithIO") {
						return // it was one with I/O before, so this is what another story has told
					}
					s.tell(r)
				})
			}
		})
	}
}
