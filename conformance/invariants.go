package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// checkInvariants checks the whole store after a subtest.
func (s *storeTest) checkInvariants() {
	scan := s.store.Capabilities().Scan
	if scan == nil || s.Failed() {
		return
	}
	for _, namespace := range s.namespaces {
		keys, err := scanAll(s.Context(), scan, namespace, 100)
		if errors.Is(err, backend.ErrClosed) {
			return
		}
		if err != nil {
			s.Errorf("Scan of %q after the subtest: %v", namespace, err)
			return
		}
		there := map[backend.Key]bool{}
		for _, key := range keys {
			if key.Namespace != namespace || there[key] {
				s.Errorf("Scan of %q gives %v, of another namespace or twice", namespace, key)
			}
			there[key] = true
		}
		s.checkScanned(scan, namespace, keys)
		s.checkListed(namespace, there)
	}
}

// checkScanned reads what Scan has found. An expired record may be dropped at any time, but then Scan must not find it again.
func (s *storeTest) checkScanned(scan backend.ScanFunc, namespace string, keys []backend.Key) {
	missing := map[backend.Key]bool{}
	for i, r := range s.mustRead(keys...) {
		if !r.Present() {
			missing[keys[i]] = true
		}
	}
	if len(missing) == 0 {
		return
	}
	again, err := scanAll(s.Context(), scan, namespace, 100)
	if err != nil {
		s.Errorf("Scan of %q after the subtest: %v", namespace, err)
	}
	for _, key := range again {
		if missing[key] {
			s.Errorf("Scan gives %v, which has no record", key)
		}
	}
}

// checkListed compares all listings with what Scan has found: primary listings have the same keys, and index listings have no
// others.
func (s *storeTest) checkListed(namespace string, there map[backend.Key]bool) {
	partitions, listed := map[string]bool{}, 0
	for key := range there {
		partitions[key.Partition] = true
	}
	for partition := range partitions {
		for _, item := range s.mustList(backend.Query{Namespace: namespace, Partition: partition, Size: backend.MaxPage}) {
			if listed++; !there[item.Key] {
				s.Errorf("List gives %v, which Scan does not", item.Key)
			}
		}
	}
	if listed != len(there) {
		s.Errorf("List gives %d keys of %q, Scan %d", listed, namespace, len(there))
	}
	for _, partition := range s.indexes {
		q := backend.Query{Namespace: namespace, Partition: partition, Index: true, Size: backend.MaxPage}
		s.eventually("the index lists only records that are there", func() (any, bool) {
			for _, item := range s.mustList(q) {
				if !there[item.Key] {
					return item.Key, false
				}
			}
			return nil, true
		})
	}
}

// scanAll walks through a namespace.
func scanAll(ctx context.Context, scan backend.ScanFunc, namespace string, size int) ([]backend.Key, error) {
	var all []backend.Key
	for after := ""; ; {
		keys, next, err := scan(ctx, namespace, after, size)
		if err != nil {
			return nil, err
		}
		if len(keys) > size {
			return nil, fmt.Errorf("%w: %d keys where at most %d were asked for", errBroken, len(keys), size)
		}
		if all = append(all, keys...); next == "" {
			return all, nil
		}
		if next == after || len(all) > 100_000 {
			return nil, fmt.Errorf("%w: position %q comes again", errBroken, next)
		}
		after = next
	}
}
