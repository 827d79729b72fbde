package dynamotest

import (
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Counter counts requests by operation ("UpdateItem"), for tests that assert what something costs, or that a fault was
// met. It is safe for concurrent use.
type Counter struct {
	lock    sync.Mutex
	counts  map[string]int
	spoiled int
}

// Count is how many requests there were of an operation; of all operations if that is "".
func (c *Counter) Count(operation string) int {
	c.lock.Lock()
	defer c.lock.Unlock()
	if operation != "" {
		return c.counts[operation]
	}
	sum := 0
	for _, n := range c.counts {
		sum += n
	}
	return sum
}

// Counts is how many requests there were of each operation.
func (c *Counter) Counts() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.counts)
}

// Spoiled is how many requests did not get the reply that they would have got.
func (c *Counter) Spoiled() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.spoiled
}

// Reset begins to count again.
func (c *Counter) Reset() {
	c.lock.Lock()
	defer c.lock.Unlock()
	clear(c.counts)
	c.spoiled = 0
}

// add counts a request, and returns which one of its operation it is, from 1.
func (c *Counter) add(operation string) int {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[operation]++
	return c.counts[operation]
}

func (c *Counter) spoil() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.spoiled++
}

// operationOf is the operation that a request asks for: what stands behind the dot of DynamoDB_20120810.UpdateItem.
func operationOf(r *http.Request) string {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return operation
}
