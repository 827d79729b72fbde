package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The model is the engine itself, several limiters over one memory store, each with its own clock, its own caches and
// its own stale views, driven through random episodes. What went wrong is shrunk to a short trace.
//
//	MODEL_STEPS  how many steps (make model: tens of millions)
//	MODEL_SEED   the seed of the first episode; that of a failure is printed with it
const (
	modelSteps   = 20_000 // of each of the two tests
	modelLongest = 300    // steps of one episode
	mostReruns   = 3000   // in shrinking
)

// TestModelEqual is the guarantee exact: where clocks and limits agree, every decision, wait and balance is that of the
// ideal bucket, through debt, refunds, resets, expiry and changes of limits.
func TestModelEqual(t *testing.T) {
	t.Parallel()
	runModel(t, true)
}

// TestModelBound is the guarantee never-over-admit where they do not agree, and everything that can go wrong does.
func TestModelBound(t *testing.T) {
	t.Parallel()
	runModel(t, false)
}

func runModel(t *testing.T, agree bool) {
	t.Helper()
	base, steps := modelSeed(t), modelBudget(t)
	var episodes, done atomic.Int64
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for done.Load() < steps && !failed.Load() {
				seed := base + uint64(episodes.Add(1)-1)
				e := newEpisode(seed, agree, modelLongest)
				c := newExecution(e, agree, nil)
				c.play()
				done.Add(int64(c.count))
				if c.wrong != "" && failed.CompareAndSwap(false, true) {
					report(t, e, agree, c.wrong)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d steps in %d episodes from seed %d", done.Load(), episodes.Load(), base)
}

func modelSeed(t *testing.T) uint64 {
	text := os.Getenv("MODEL_SEED")
	if text == "" {
		return rand.Uint64() >> 16
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("MODEL_SEED: %v", err)
	}
	return seed
}

// modelBudget is how many steps one test makes.
func modelBudget(t *testing.T) int64 {
	if text := os.Getenv("MODEL_STEPS"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("MODEL_STEPS: %v", err)
		}
		return n / 2
	}
	return modelSteps
}

// report shrinks the episode and tells what happens in it.
func report(t *testing.T, e *episode, agree bool, wrong string) {
	t.Helper()
	small := shrink(e, agree)
	var trace strings.Builder
	c := newExecution(small, agree, func(format string, args ...any) { fmt.Fprintf(&trace, format+"\n", args...) })
	c.play()
	if c.wrong == "" {
		trace.WriteString("(the shrunk episode does not fail again)\n")
	}
	t.Errorf("%s\nrerun: MODEL_SEED=%d MODEL_STEPS=2 go test -run '^%s$' ./engine\n%+v\npalette %v, clocks %v\n%s",
		wrong, e.seed, t.Name(), small.traits, small.palette, small.clocks, trace.String())
}

// shrink leaves out steps, then what befalls them, as long as something goes wrong.
func shrink(e *episode, agree bool) *episode {
	small, reruns := *e, 0
	fails := func(steps []*step) bool {
		again := small
		again.steps = steps
		c := newExecution(&again, agree, nil)
		c.play()
		reruns++
		return c.wrong != "" && reruns < mostReruns
	}
	small.steps = thin(small.steps, fails)
	for i := range small.steps {
		for _, plainer := range plainer(small.steps[i]) {
			steps := slices.Clone(small.steps)
			if steps[i] = plainer(*steps[i]); fails(steps) {
				small.steps = steps
			}
		}
	}
	return &small
}

// thin leaves out parts of all, large ones first, as long as the rest fails.
func thin[T any](all []T, fails func([]T) bool) []T {
	for size := len(all) / 2; size > 0; size /= 2 {
		for at := 0; at < len(all); {
			if without := slices.Delete(slices.Clone(all), at, min(at+size, len(all))); fails(without) {
				all = without
			} else {
				at += size
			}
		}
	}
	return all
}

// plainer are ways to make a step plainer: without what befalls it, or with less of it.
func plainer(s *step) []func(step) *step {
	ways := []func(step) *step{
		func(s step) *step { s.acts, s.inner = nil, nil; return &s },
		func(s step) *step { s.inner = nil; return &s },
		func(s step) *step { s.d = 0; return &s },
		func(s step) *step { s.proc = 0; return &s },
	}
	for i := len(s.acts) - 1; i >= 0; i-- {
		ways = append(ways, func(s step) *step {
			if i < len(s.acts) {
				s.acts = slices.Delete(slices.Clone(s.acts), i, i+1)
			}
			return &s
		})
	}
	for i := len(s.inner) - 1; i >= 0; i-- {
		ways = append(ways, func(s step) *step {
			if i < len(s.inner) {
				s.inner = slices.Delete(slices.Clone(s.inner), i, i+1)
			}
			return &s
		})
	}
	return ways
}

func itoa(n int) string { return strconv.Itoa(n) }
