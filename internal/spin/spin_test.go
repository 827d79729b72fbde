package spin_test

import (
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/spin"
)

func TestLockExcludes(t *testing.T) {
	var (
		lock  spin.Lock
		group sync.WaitGroup
		count int
	)
	for range 16 {
		group.Go(func() {
			for range 10_000 {
				lock.Lock()
				count++
				lock.Unlock()
			}
		})
	}
	group.Wait()
	if count != 160_000 {
		t.Fatalf("counted %d of 160,000: the lock let two in", count)
	}
}

func TestTryLock(t *testing.T) {
	var lock spin.Lock
	if !lock.TryLock() {
		t.Fatal("a free lock was refused")
	}
	if lock.TryLock() {
		t.Fatal("a held lock was given again")
	}
	lock.Unlock()
	if !lock.TryLock() {
		t.Fatal("a lock that was released was refused")
	}
}
