package engine_test

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// laterFinds are more of what the model has found.
var laterFinds = []short{
	{
		"RefundsOfALifeThatIsOverLowerNoCharge", true,
		traits{procs: 1},
		[][]string{{"a:100/day"}},
		[]*step{
			{id: 1, kind: doAcquire, tokens: engine.Tokens{"a": 4}, plan: 0},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": -3}, plan: -1},
			{kind: doReset},
			{kind: doConsume, lease: 1, tokens: engine.Tokens{"a": 1}, plan: -1},
			{kind: doAdjust, lease: 1, tokens: engine.Tokens{"a": 10}, plan: -1},
			{kind: doFlush, lease: 1, plan: -1},
		},
	},
	{
		"OtherLimitsHideNoChangeOfTheEntity", false,
		traits{procs: 3, nested: true, family: true},
		[][]string{{"a:2/s:10"}, {"a:3/s:10"}, {"a:4/s:10"}},
		[]*step{
			{kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: 0},
			{kind: doPass, d: int64(2 * time.Millisecond)},
			{
				kind: doAcquire, tokens: engine.Tokens{"a": 1}, plan: 2, acts: []act{pass, after, pass, pass, after},
				inner: []*step{
					{id: 1, kind: doAcquire, proc: 1, tokens: engine.Tokens{"a": 3}, plan: 1},
					{id: 2, kind: doDelete, proc: 2, plan: -1, more: true},
					{id: 3, kind: doAcquire, proc: 2, tokens: engine.Tokens{"a": 1}, plan: 2},
				},
			},
		},
	},
}
