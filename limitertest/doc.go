// Package limitertest tests programs that use the limiter. [New] returns the limiter that runs in production, on a memory store
// that can fail and with a clock that the test sets:
//
//	limiter := limitertest.New(t, nil)
//	service := NewService(limiter.Limiter)
//	…
//	limiter.AssertCharged("user-123", "gpt-4", engine.Tokens{"rpm": 1, "tpm": 650})
//	limiter.Clock.Advance(time.Minute)
//	limiter.Down()
//
// [Exceeded] returns a denial for the test of a handler that needs no limiter. [Fault] makes any store fail, request by request.
//
// The package needs no libraries besides those of package engine. It imports testing, so only tests import it.
//
// Package limitertest does not test stores: package conformance does.
package limitertest
