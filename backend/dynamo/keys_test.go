package dynamo

import (
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

// TestKeys: a partition key, of the table and of the index, begins with its namespace and a slash, so that a policy can
// hold a caller to it; no two places have the same; and a key is had back from its own.
func TestKeys(t *testing.T) {
	long := strings.Repeat("p", longPlace)
	namespaces := []string{"a", "a/", "a/b", "a%2F", "a%", "%", "/", "_", "ä", "a%252F"}
	partitions := []string{"p", "/", "b/p", "%2Fp", "~", "~p", long, long + "q", "~" + long}
	seen, seenIndex := map[string]string{}, map[string]string{}
	for _, namespace := range namespaces {
		for _, partition := range partitions {
			hash, index := hashOf(namespace, partition), indexHashOf(namespace, partition)
			first, _, _ := strings.Cut(hash, "/")
			if strings.ReplaceAll(strings.ReplaceAll(first, "%2F", "/"), "%25", "%") != namespace || !strings.HasPrefix(index, first+"/") {
				t.Errorf("%q in %q has the keys %q and %q", partition, namespace, hash, index)
			}
			place := namespace + " " + partition
			if seen[hash] != "" || seenIndex[index] != "" {
				t.Errorf("%q meets %q or %q", place, seen[hash], seenIndex[index])
			}
			seen[hash], seenIndex[index] = place, place
			if k := keyOf(hash, "s"); k != (backend.Key{Namespace: namespace, Partition: partition, Sort: "s"}) {
				t.Errorf("%q is had back as %+v", place, k)
			}
			if len(index) > len(first)+1+longPlace {
				t.Errorf("the key of %q in the index has %d bytes", place, len(index))
			}
		}
	}
}
