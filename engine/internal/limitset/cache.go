package limitset

import "sync"

// MostCached is the most entries of a Cache. Configurations are few. A cache that is full is
// emptied, and its entries are then made again.
const MostCached = 4096

// Cache shares the limit sets of equal texts, so that comparing pointers mostly suffices. Safe for concurrent use.
type Cache struct {
	lock sync.RWMutex
	sets map[string]*Set
}

// Get is the limit set of a record's L; schema.ErrFormat where it cannot be read.
func (c *Cache) Get(text string) (*Set, error) {
	c.lock.RLock()
	s := c.sets[text]
	c.lock.RUnlock()
	if s != nil {
		return s, nil
	}
	s, err := unpack(text)
	if err != nil {
		return nil, err
	}
	return c.Share(s), nil
}

// Share returns the limit set that is remembered for s's text: s, or one that came first.
func (c *Cache) Share(s *Set) *Set {
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.sets[s.Text]; first != nil {
		return first
	}
	if c.sets == nil || len(c.sets) >= MostCached {
		c.sets = make(map[string]*Set)
	}
	c.sets[s.Text] = s
	return s
}
