package engine_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// short is one short episode.
type short struct {
	name    string
	agree   bool
	traits  traits
	palette [][]string
	steps   []*step
}

// finds are what the model has found, each as short as it could be made: the episode must go well.
var finds = []short{
	{
		"AClockThatGoesBackKeepsOldConfiguration", true,
		traits{procs: 2},
		[][]string{{"a:5/s"}},
		[]*step{
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: -1}, // there are no limits
			{kind: doStore, plan: 0, level: 2},
			{kind: doClock, d: -int64(time.Second)},
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: -1},
		},
	},
	{
		"ALimitThatCameBackUnseenTakesNoAdjustment", true,
		traits{procs: 2},
		[][]string{{"a:10/s"}, {"a:3/min", "c:9/min"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 3, "c": 0}, plan: 1},
			{kind: doAllow, tokens: engine.Tokens{"a": 1}, plan: 0},
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 0, "c": 1}, plan: 1},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"c": 3}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1},
		},
	},
	{
		"ADenialForEverTellsAnotherLimitsState", true,
		traits{procs: 1, stale: true, repeats: true},
		[][]string{{"a:20/s", "b:18/day:60"}, {"a:18/day:16", "c:3/day:1"}},
		[]*step{
			{kind: doAcquire, tokens: engine.Tokens{"a": 1, "b": 30}, plan: 0},
			{kind: doStore, plan: 1, level: 2},
			{kind: doAllow, tokens: engine.Tokens{"a": 1}, plan: -1},
			{kind: doPass, d: int64(2 * time.Second)},
			{kind: doAcquire, tokens: engine.Tokens{"a": 15, "c": 1}, plan: -1},
			{kind: doAllow, tokens: engine.Tokens{"a": 50}, plan: -1},
		},
	},
	{
		"AChargeAfterAResetIsNotGivenBack", true,
		traits{procs: 1},
		[][]string{{"a:1000/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 84}, plan: 0},
			{kind: doReset},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 11}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1},
			{kind: doRollback, lease: 1, plan: -1},
		},
	},
	{
		"WhatIsGivenBackWasChargedBeforeTheReset", true,
		traits{procs: 1},
		[][]string{{"a:10/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 3}, plan: 0},
			{kind: doReset},
			{kind: doAllow, tokens: engine.Tokens{"a": 5}, plan: 0},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": -3}, plan: -1},
			{kind: doConsume, lease: 1, tokens: engine.Tokens{"a": 1}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1},
		},
	},
	{
		"ALeaseOfNothingIsNotGivenBack", true,
		traits{procs: 1},
		[][]string{{"a:1000/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 0}, plan: 0},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 11}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1},
			{kind: doRollback, lease: 1, plan: -1},
		},
	},
	{
		"StoringWhatIsStoredBringsBackWhatWas", false,
		traits{procs: 2, stale: true},
		[][]string{{"a:2/s", "b:9/min"}, {"a:1/min:11"}},
		[]*step{
			{kind: doStore, plan: 1, level: 2},
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: -1},
			{kind: doStore, plan: 0},
			{kind: doStore, proc: 1, plan: 0},
		},
	},
	{
		"StoringOvertakenByAnotherBringsBackWhatWas", false,
		traits{procs: 2, io: true, nested: true},
		[][]string{{"a:100/s"}, {"a:10/s"}, {"a:50/s"}},
		[]*step{
			{kind: doStore, plan: 0},
			{kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: -1},
			{
				kind: doStore, plan: 1, acts: []act{pass, pass, pass, pass, before, before},
				inner: []*step{{kind: doStore, proc: 1, plan: 2}, {kind: doStore, proc: 1, plan: 2}},
			},
		},
	},
	{
		"ASettlementThatWasSentAgainIsChargedTwice", false,
		traits{procs: 1, io: true, faults: true},
		[][]string{{"a:100/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: 0},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 11}, plan: -1},
			{kind: doCommit, lease: 1, plan: -1, acts: []act{loseReply, loseRequest, loseRequest, loseRequest}},
			{kind: doCommit, lease: 1, plan: -1},
		},
	},
	{
		"ALeaseTakesMoreAfterAChargeOfUnknownOutcome", false,
		traits{procs: 1, io: true, faults: true},
		[][]string{{"a:100/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: 0},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 11}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1, acts: allLost()},
			{kind: doConsume, lease: 1, tokens: engine.Tokens{"a": 3}, plan: -1},
			{kind: doCommit, lease: 1, plan: -1},
		},
	},
	{
		"AChargeThatFailedIsRefundedWhenTheLeaseIsSettled", false,
		traits{procs: 1, io: true, faults: true},
		[][]string{{"a:100/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: 0},
			{kind: doConsume, lease: 1, tokens: engine.Tokens{"a": 11}, plan: -1, acts: append([]act{pass}, allLost()...)},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 5}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1, acts: append([]act{pass}, allLost()...)},
			{kind: doRollback, lease: 1, plan: -1},
		},
	},
	{
		"AContextThatHasEndedLosesNothing", false,
		traits{procs: 1},
		[][]string{{"a:100/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 10}, plan: 0},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": -4}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1, ends: early},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 40}, plan: -1},
			{kind: doCommit, lease: 1, plan: -1, ends: within},
		},
	},
}

// allLost lets all tries of a write be applied or refused, and loses every reply.
func allLost() []act { return []act{loseReply, loseReply, loseReply, loseReply} }

// rare are episodes that random ones come to once in millions of steps, each about one word of DESIGN.
var rare = []short{
	{
		"ALimitThatComesAndGoesBetweenClocks", false,
		traits{procs: 2, skew: 10 * time.Second},
		[][]string{{"a:1/s:20"}, {"b:1000/s:20000"}, {"c:1000/s:20000"}},
		comesAndGoes(),
	},
	{
		"AnEntityMadeAnewByASlowClock", false,
		traits{procs: 2, io: true, family: true, stale: true, skew: 10 * time.Second},
		[][]string{{"a:10/s"}},
		[]*step{
			{kind: doCascade, proc: 1, level: 1, plan: -1},
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
			{kind: doClock, proc: 0, d: -int64(5 * time.Second)},
			{kind: doDelete, level: 1, plan: -1},
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0}, // with the path that was
			{kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: 0},
		},
	},
	{
		"ABucketMadeAnewInTheSameNanosecond", false,
		traits{procs: 2, io: true, family: true, nested: true},
		[][]string{{"a:10/s"}, {"a:10/s:9"}},
		[]*step{
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
			{
				kind: doAcquire, tokens: engine.Tokens{"a": 5}, plan: 1, acts: []act{pass, pass, pass, before},
				inner: []*step{
					{id: 7, kind: doDelete, proc: 1, level: 1, plan: -1, more: true},
					{id: 8, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 10}, plan: 0},
				},
			},
		},
	},
	{
		"AConversionThatAlwaysComesTooLate", false,
		traits{procs: 2, io: true, nested: true},
		[][]string{{"a:10/s"}, {"a:10/s", "c:5/s"}},
		[]*step{
			{kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
			{
				kind: doAcquire, tokens: engine.Tokens{"a": 1, "c": 1}, plan: 1,
				acts: []act{pass, pass, pass, before, pass, before, pass, before, pass, before},
				inner: []*step{
					{id: 5, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
					{id: 6, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
					{id: 7, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
					{id: 8, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1}, plan: 0},
				},
			},
		},
	},
	{
		"AResetBeforeALostReplyIsAskedFor", false,
		traits{procs: 2, io: true, faults: true, nested: true},
		[][]string{{"a:10/s"}},
		[]*step{
			{
				id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 8}, plan: 0, acts: []act{pass, loseReply, before},
				inner: []*step{
					{id: 7, kind: doReset, proc: 1, more: true},
					{id: 8, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 0}, plan: 0},
				},
			},
			{kind: doRollback, lease: 1, plan: -1},
		},
	},
	{
		"AChargeByForceNextToADebtUnseen", true,
		traits{procs: 2},
		[][]string{{"a:10/s", "b:10/s"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 1, "b": 1}, plan: 0},
			{id: 2, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 1, "b": 1}, plan: 0},
			{kind: doAdjust, proc: 1, lease: 2, tokens: engine.Tokens{"b": 5_000_000}, plan: -1},
			{kind: doCommit, proc: 1, lease: 2, plan: -1},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 1}, plan: -1},
			{kind: doCommit, lease: 1, plan: -1},
		},
	},
}

// comesAndGoes is a limit that is dropped whenever a fast clock finds it full, and brought again by a slow one.
func comesAndGoes() []*step {
	steps := []*step{
		{kind: doClock, d: -int64(5 * time.Second)},
		{kind: doClock, proc: 1, d: int64(5 * time.Second)},
	}
	for i := range 5 {
		name, plan := names[1+i%2], 1+i%2
		steps = append(steps,
			&step{kind: doAllow, tokens: engine.Tokens{"a": 20}, plan: 0},
			&step{kind: doAllow, tokens: engine.Tokens{"a": 10}, plan: 0},
			&step{kind: doPass, d: int64(10 * time.Second)},
			&step{kind: doAllow, proc: 1, tokens: engine.Tokens{name: 1}, plan: plan})
	}
	return steps
}

// TestModelFinds is TestModelEqual and TestModelBound on what they once found.
func TestModelFinds(t *testing.T) {
	t.Parallel()
	for _, f := range append(append(finds, rare...), laterFinds...) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			e := &episode{traits: f.traits, start: bucket.MinTime + int64(time.Hour), clocks: make([]int64, f.traits.procs), steps: f.steps}
			for _, texts := range f.palette {
				var plan []engine.Limit
				for _, text := range texts {
					l, err := engine.ParseLimit(text)
					if err != nil {
						t.Fatal(err)
					}
					plan = append(plan, l)
				}
				e.palette = append(e.palette, plan)
			}
			for i, s := range e.steps {
				if s.id == 0 {
					s.id = 100 + i
				}
			}
			c := newExecution(e, f.agree, t.Logf)
			c.play()
			if c.wrong != "" {
				t.Error(c.wrong)
			}
		})
	}
}
