package peers

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// footprint is what live keys cost.
type footprint struct {
	bytesPerKey float64
	newKey      time.Duration // mean time of a key's first decision
	gc          time.Duration // median of five full collections
}

// measureHeap makes n keys live with two limits each and weighs them.
func measureHeap(c contender, n int) (footprint, error) {
	keyNames()
	before := liveHeap()
	p := c.openFunc(limits{ample, ample})
	defer p.Close()
	start := now()
	for key := range n {
		if !p.Allow2(key) {
			return footprint{}, fmt.Errorf("peers: heap: key %d denied at first use", key)
		}
	}
	f := footprint{newKey: time.Since(start) / time.Duration(n)}
	f.bytesPerKey = float64(int64(liveHeap())-int64(before)) / float64(n)
	collections := make([]time.Duration, 5)
	for i := range collections {
		start = now()
		runtime.GC()
		collections[i] = time.Since(start)
	}
	slices.Sort(collections)
	f.gc = collections[len(collections)/2]
	// The keys must still be there, and still be limited.
	for key := 0; key < n; key += n/1000 + 1 {
		if !p.Allow2(key) {
			return footprint{}, fmt.Errorf("peers: heap: key %d denied afterwards", key)
		}
	}
	return f, nil
}

// liveHeap is the number of bytes in use after everything unreachable is gone, pools included.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
