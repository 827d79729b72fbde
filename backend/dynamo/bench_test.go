package dynamo_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/engine"
)

func BenchmarkAcquire(b *testing.B) {
	l, err := engine.New(fresh(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	r := engine.Request{Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1, "tpm": 500}, Limits: []engine.Limit{engine.PerMinute("rpm", 1e9), engine.PerMinute("tpm", 1e12)}}
	b.ReportAllocs()
	for b.Loop() {
		d, err := l.Allow(b.Context(), r)
		if err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
}
