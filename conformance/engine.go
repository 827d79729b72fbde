package conformance

import (
	"testing"
)

// outcome is something that users of the engine can rely on over any store, and the stories that prove it.
type outcome struct {
	name    string
	stories stories
}

// stories are the subtests of one outcome.
type stories []struct {
	name string
	tell func(*rig)
}

// outcomes are what RunEngine proves. The numbers are those of the outcomes in SPEC.md, section 10.
//
//	 1  AdmitsExactly
//	 2  Saturation, RequestsPerDecision, NeverOverAdmits
//	 3  SlowLimitBesideBusyOne
//	 4  LimitsChangeLive
//	 5  AllLegalNames
//	 6  LeasesOnEveryPath
//	 7  RefusesBadInput, NeverFits
//	 8  LostReplies, GiveBacks
//	 9  ParentsInAllStates
//	10  CrashInsideALease
//	11  UnavailableWithinBudget
//	13  OneRecordForAMillion
//	15  ReadsWriteNothing
//	–   Vectors: every decision, wait and balance equals that of the ideal bucket
var outcomes = []outcome{
	{"Vectors", vectors},
	{"AdmitsExactly", admitsExactly},
	{"Saturation", saturation},
	{"RequestsPerDecision", requestsPerDecision},
	{"NeverOverAdmits", neverOverAdmits},
	{"SlowLimitBesideBusyOne", slowLimits},
	{"LimitsChangeLive", liveChanges},
	{"AllLegalNames", legalNames},
	{"LeasesOnEveryPath", leases},
	{"RefusesBadInput", badInput},
	{"NeverFits", neverFits},
	{"LostReplies", lostReplies},
	{"GiveBacks", giveBacks},
	{"ParentsInAllStates", parents},
	{"CrashInsideALease", crashes},
	{"UnavailableWithinBudget", outages},
	{"OneRecordForAMillion", million},
	{"ReadsWriteNothing", readOnly},
}

// RunEngine proves that the engine does over the stores that open gives what its users rely on: one parallel subtest
// for each outcome, and below it one for each story, with a store of its own. The stores need to keep the contract of
// package backend: see [Run].
func RunEngine(t *testing.T, open Open) {
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range o.stories {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					s.tell(newRig(t, open))
				})
			}
		})
	}
}
