package engine

import "context"

const NamespaceActive = "active"

func (l *Limiter) RegisterNamespace(ctx context.Context, name string) error { return nil }
