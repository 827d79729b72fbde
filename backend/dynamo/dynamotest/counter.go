package dynamotest

import (
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Counter counts requests by operation ("UpdateItem"), for tests of costs, and for those that make sure that a fault
// happened. It is safe for concurrent use.
type Counter struct {
	lock    sync.Mutex
	counts  map[string]int
	spoiled int
}

// Count returns the number of requests of an operation, or of all operations if that is "".
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

// Counts returns the number of requests of each operation.
func (c *Counter) Counts() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.counts)
}

// Spoiled returns the number of requests whose reply was lost or replaced.
func (c *Counter) Spoiled() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.spoiled
}

// Reset sets all counts to zero.
func (c *Counter) Reset() {
	c.lock.Lock()
	defer c.lock.Unlock()
	clear(c.counts)
	c.spoiled = 0
}

// add counts a request and returns its number among those of its operation, from 1.
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

// operationOf returns the operation of a request: what follows the dot in DynamoDB_20120810.UpdateItem.
func operationOf(r *http.Request) string {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return operation
}
