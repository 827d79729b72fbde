// Command hotpath makes one acquire on a warm limiter over the memory store, and writes the coverage counters of that
// call alone into the directory that it is given. It is built with -cover -covermode=atomic; see TestPathOfAnAcquire.
package main

import (
	"context"
	"log"
	"os"
	"runtime/coverage"
	"runtime/debug"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

func main() {
	debug.SetGCPercent(-1) // a collection would empty the pools
	limiter, err := engine.New(memory.New(nil), nil)
	check(err)
	request := engine.Request{
		Entity: "user-1", Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1, "tpm": 1},
		Limits: []engine.Limit{engine.PerMinute("rpm", 1e9), engine.PerMinute("tpm", 1e9)},
	}
	acquire := func() (err error) {
		_, err = limiter.Acquire(context.Background(), request)
		return err
	}
	for range 100 {
		check(acquire())
	}
	check(coverage.ClearCounters())
	err = acquire()
	check(coverage.WriteCountersDir(os.Args[1]))
	check(coverage.WriteMetaDir(os.Args[1]))
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
