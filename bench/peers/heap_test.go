package peers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// footprint is what live keys cost.
type footprint struct {
	BytesPerKey float64
	NewKey      time.Duration // mean time of a key's first decision
	GC          time.Duration // median of five full collections
}

// What a process of its own is told.
const (
	weighVariable = "PEERS_WEIGH" // the contender
	keysVariable  = "PEERS_KEYS"  // how many live keys
)

// weigh is measureHeap in a process of its own: where keys come to lie in memory, and with that the time of a collection,
// depends on what lay there before.
func weigh(c contender, n int) (f footprint, err error) {
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	cmd := exec.Command(self, "-test.run", "^TestWeigh$", "-test.v")
	cmd.Env = append(os.Environ(), weighVariable+"="+c.name, keysVariable+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return f, fmt.Errorf("peers: weighing %s: %w\n%s", c.name, err, out)
	}
	_, found, _ := strings.Cut(string(out), "footprint: ")
	line, _, _ := strings.Cut(found, "\n")
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		return f, fmt.Errorf("peers: weighing %s: %w\n%s", c.name, err, out)
	}
	return f, nil
}

// TestWeigh weighs what it is told to, or else has another process weigh something.
func TestWeigh(t *testing.T) {
	name, n := os.Getenv(weighVariable), 10_000
	i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == cmp.Or(name, "floor") })
	if name == "" {
		f, err := weigh(contenders[i], n)
		if err != nil || f.BytesPerKey < 16 || f.NewKey <= 0 || f.GC <= 0 {
			t.Errorf("two arrival times of 8 bytes a key, and a map: %+v, %v", f, err)
		}
		return
	}
	n, err := strconv.Atoi(os.Getenv(keysVariable))
	if err != nil {
		t.Fatal(err)
	}
	f, err := measureHeap(contenders[i], n)
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("footprint: %s", told)
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
	f := footprint{NewKey: time.Since(start) / time.Duration(n)}
	f.BytesPerKey = float64(int64(liveHeap())-int64(before)) / float64(n)
	collections := make([]time.Duration, 5)
	for i := range collections {
		start = now()
		runtime.GC()
		collections[i] = time.Since(start)
	}
	slices.Sort(collections)
	f.GC = collections[len(collections)/2]
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
