package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
)

// bill is what was asked of a store.
type bill struct {
	reads, keys        int // calls of Read, and keys in them
	applies, writes    int // calls of Apply, and writes in them
	refused            int // of those writes
	commits, committed int // calls of Commit, and writes in them
	lists              int
}

func (b bill) minus(o bill) bill {
	return bill{
		b.reads - o.reads, b.keys - o.keys, b.applies - o.applies, b.writes - o.writes, b.refused - o.refused,
		b.commits - o.commits, b.committed - o.committed, b.lists - o.lists,
	}
}

func (b bill) String() string {
	var parts []string
	add := func(calls int, what string, n int, of string) {
		if calls > 0 {
			parts = append(parts, fmt.Sprintf("%d %s of %d %s", calls, what, n, of))
		}
	}
	add(b.reads, "Read", b.keys, "keys")
	add(b.applies, "Apply", b.writes, fmt.Sprintf("writes (%d refused)", b.refused))
	add(b.commits, "Commit", b.committed, "writes")
	if b.lists > 0 {
		parts = append(parts, fmt.Sprintf("%d List", b.lists))
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// ledger is a memory store that keeps a bill. It is not NoIO: the engine treats it as a store that takes its time.
type ledger struct {
	backend.Backend
	lock  sync.Mutex
	total bill
}

// quickLedger is a memory store as it is, with a bill.
type quickLedger struct{ *ledger }

func (quickLedger) Capabilities() backend.Capabilities {
	return backend.Capabilities{NoIO: true, Max: true}
}

func (*ledger) Capabilities() backend.Capabilities { return backend.Capabilities{} }

func newLedger() *ledger { return &ledger{Backend: memory.New(nil)} }

func (l *ledger) add(b bill) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.total = l.total.minus(bill{}.minus(b))
}

func (l *ledger) now() bill {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.total
}

func (l *ledger) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	l.add(bill{reads: 1, keys: len(keys)})
	return l.Backend.Read(ctx, keys, out)
}

func (l *ledger) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	err := l.Backend.Apply(ctx, writes, out)
	b := bill{applies: 1, writes: len(writes)}
	for i := range out {
		if out[i].Err == nil && !out[i].Applied {
			b.refused++
		}
	}
	l.add(b)
	return err
}

func (l *ledger) Commit(ctx context.Context, token [16]byte, writes []backend.Write) error {
	l.add(bill{commits: 1, committed: len(writes)})
	return l.Backend.Commit(ctx, token, writes)
}

func (l *ledger) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	l.add(bill{lists: 1})
	return l.Backend.List(ctx, q)
}
