package engine

import "sync"

// mostCached is the most entries of a limitSetCache or a configCache. Configurations are few. A cache that is full is
// emptied, and its entries are then made again.
const mostCached = 4096

// limitSetCache shares the limit sets of equal texts, so that comparing pointers mostly suffices. Safe for concurrent use.
type limitSetCache struct {
	lock sync.RWMutex
	sets map[string]*limitSet
}

// get is the limit set of a record's L; schema.ErrFormat where it cannot be read.
func (c *limitSetCache) get(text string) (*limitSet, error) {
	c.lock.RLock()
	s := c.sets[text]
	c.lock.RUnlock()
	if s != nil {
		return s, nil
	}
	s, err := unpackLimitSet(text)
	if err != nil {
		return nil, err
	}
	return c.share(s), nil
}

// share returns the limit set that is remembered for s's text: s, or one that came first.
func (c *limitSetCache) share(s *limitSet) *limitSet {
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.sets[s.text]; first != nil {
		return first
	}
	if c.sets == nil || len(c.sets) >= mostCached {
		c.sets = make(map[string]*limitSet)
	}
	c.sets[s.text] = s
	return s
}

// configCache shares the configs of entities without a record. Safe for concurrent use.
type configCache struct {
	lock    sync.RWMutex
	configs map[config]*config
}

// share returns the config that is remembered for what c says: c, or one that came first.
func (c *configCache) share(conf *config) *config {
	c.lock.RLock()
	first := c.configs[*conf]
	c.lock.RUnlock()
	if first != nil {
		return first
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.configs[*conf]; first != nil {
		return first
	}
	if c.configs == nil || len(c.configs) >= mostCached {
		c.configs = make(map[config]*config)
	}
	shared := *conf
	c.configs[shared] = &shared
	return &shared
}
