package bolt_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

// role says what a process of this test's own program does instead of testing; rounds, how often it is killed.
const (
	role   = "BOLT_TEST_ROLE"
	file   = "BOLT_TEST_FILE"
	rounds = "BOLT_TEST_ROUNDS"
)

// roles are what a child does until it ends, or is ended. They are filled by the tests that start children.
var roles = map[string]func(path string) error{"count": count}

func TestMain(m *testing.M) {
	if do := roles[os.Getenv(role)]; do != nil {
		if err := do(os.Getenv(file)); err != nil {
			fmt.Fprintln(os.Stdout, "failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(t *testing.T, does, path string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+does, file+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

const counters = 6

// count adds to counters for ever, and says what was acknowledged.
func count(path string) error {
	s, err := bolt.Open(path, &bolt.Options{Feed: true})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	var lock sync.Mutex
	for g := range counters {
		group.Go(func() {
			for {
				n, e := increment(s, g)
				lock.Lock()
				if e != nil {
					err = e
					lock.Unlock()
					return
				}
				fmt.Fprintln(os.Stdout, g, n)
				lock.Unlock()
			}
		})
	}
	group.Wait()
	return err
}

// increment has odd counters go by Commit, with a record that comes and goes beside them, and even ones by Apply.
func increment(s *bolt.Store, g int) (int64, error) {
	w := backend.Write{Key: keyOf(g), Layout: bucket, Effects: []backend.Effect{{Op: backend.Add, Num: backend.Int(1)}}, Expiry: 1_900_000_000}
	if g%2 == 0 {
		out := make([]backend.Outcome, 1)
		err := s.Apply(background, []backend.Write{w}, out)
		return out[0].Record.Int64(0), err
	}
	read := make([]backend.Record, 1)
	read[0].Reset(bucket)
	if err := s.Read(background, []backend.Key{w.Key}, read); err != nil {
		return 0, err
	}
	n := read[0].Int64(0) + 1
	beside := backend.Write{Key: keyOf(100 + g), Layout: bucket, Remove: true}
	if n%2 == 1 {
		beside = backend.Write{Key: beside.Key, Layout: bucket, Effects: w.Effects, Index: &backend.Place{Partition: "odd", Sort: "s"}}
	}
	return n, s.Commit(background, [16]byte{}, []backend.Write{w, beside})
}

// TestKill ends a writing process again and again, at any moment: nothing that was acknowledged is lost.
func TestKill(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv(rounds))
	if n == 0 {
		n = 10
	}
	path := filepath.Join(t.TempDir(), "store")
	var said [counters]int64
	for round := range n {
		kill(t, path, 1+round*37%300, &said)
		check(t, path, &said)
	}
	total := int64(0)
	for _, n := range said {
		total += n
	}
	if total < int64(n) {
		t.Errorf("%d writes in %d lives: the children did not work", total, n)
	}
}

// kill lets a child live for so many lines, and notes all that it said.
func kill(t *testing.T, path string, lines int, said *[counters]int64) {
	t.Helper()
	cmd := child(t, "count", path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(out); scan.Scan(); lines-- {
		var g int
		var n int64
		if _, err := fmt.Sscan(scan.Text(), &g, &n); err != nil {
			t.Fatalf("the child says %q", scan.Text())
		}
		said[g] = n
		if lines == 1 {
			_ = cmd.Process.Kill() // it may have ended by itself, which its lines tell
		}
	}
	_ = cmd.Wait() // killed
}

func check(t *testing.T, path string, said *[counters]int64) {
	t.Helper()
	s := mustOpen(t, path, &bolt.Options{Feed: true})
	defer s.Close()
	read := make([]backend.Record, 2)
	for g := range counters {
		read[0].Reset(bucket)
		read[1].Reset(bucket)
		if err := s.Read(t.Context(), []backend.Key{keyOf(g), keyOf(100 + g)}, read); err != nil {
			t.Fatal(err)
		}
		n := read[0].Int64(0)
		if n < said[g] || n > said[g]+1 {
			t.Errorf("counter %d is %d, acknowledged were %d", g, n, said[g])
		}
		if g%2 == 1 && read[1].Present() != (n%2 == 1) {
			t.Errorf("half of commit %d of counter %d was made", n, g)
		}
		said[g] = n
	}
	page, err := s.List(t.Context(), backend.Query{Namespace: "default", Partition: "odd", Index: true, Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	odd := 0
	for g := 1; g < counters; g += 2 {
		odd += int(said[g] % 2)
	}
	if len(page.Items) != odd {
		t.Errorf("%d in the index, %d records", len(page.Items), odd)
	}
}
