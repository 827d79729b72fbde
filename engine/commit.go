package engine

import "context"

// administer makes a change in the limiter's namespace, which must be active. See retryConflicts.
func (l *Limiter) administer(ctx context.Context, attempt func(now int64) error) error {
	if err := l.checkNamespace(ctx); err != nil {
		return err
	}
	return l.retryConflicts(ctx, attempt)
}

// retryConflicts calls attempt, with the time, again as long as it meets conflicts. See [store.Store.RetryConflicts].
func (l *Limiter) retryConflicts(ctx context.Context, attempt func(now int64) error) error {
	return l.store.RetryConflicts(ctx, func() error {
		now, err := l.now()
		if err != nil {
			return err
		}
		return attempt(now)
	})
}

// forget lets the next acquires of entities and resources that are affected read their configuration and bucket again,
// instead of deciding from memory.
func (l *Limiter) forget(affected func(entity, resource string) bool) {
	l.cache.forget(func(h *bucketState) bool { return affected(h.id.entity, h.id.resource) })
}
