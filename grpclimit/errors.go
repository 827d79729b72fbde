package grpclimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/zeroae/zae-limiter-go/engine"
)

// retryUnavailable is how long callers wait if the store does not answer.
const retryUnavailable = time.Second

// costStatus is the status of an error of Options.Cost.
func costStatus(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.InvalidArgument, "the cost of the request is unknown: "+err.Error())
}

// status is the error that the caller gets if a call is not admitted.
func (s *server) status(ctx context.Context, r *engine.Request, err error) error {
	var (
		exceeded *engine.ExceededError
		invalid  *engine.ValidationError
	)
	switch {
	case errors.As(err, &exceeded):
		return denial(exceeded)
	case errors.As(err, &invalid) && (invalid.Field == "Resource" || strings.HasPrefix(invalid.Field, "Consume")):
		return status.Error(codes.InvalidArgument, "the call cannot be limited: "+strings.TrimPrefix(invalid.Error(), "engine: ")) // read from the request
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case isUnavailable(err), errors.Is(err, context.DeadlineExceeded):
		return unavailable()
	}
	s.logFailed(ctx, r, err)
	return status.Error(codes.Internal, "the call could not be limited")
}

// logFailed logs an error of the program, at most once a second.
func (s *server) logFailed(ctx context.Context, r *engine.Request, err error) {
	line := &s.failed
	if errors.Is(err, engine.ErrNoLimits) {
		line = &s.noLimits
	}
	if omitted, due := line.Due(systemClock()); due {
		s.Logger.ErrorContext(ctx, "grpclimit: a call could not be limited", "error", err, "entity", r.Entity, "resource", r.Resource, "omitted", omitted)
	}
}

// Error is what a handler returns for an error of its lease or of a meter, such as a denial that cuts a stream: the caller gets the same
// status and details as of a call that is not admitted. Other errors are returned as they are.
func Error(err error) error {
	exceeded, denied := errors.AsType[*engine.ExceededError](err)
	switch {
	case denied:
		return denial(exceeded)
	case isUnavailable(err):
		return unavailable()
	}
	return err
}

func isUnavailable(err error) bool {
	return errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrContention)
}

func unavailable() error {
	return withDetails(status.New(codes.Unavailable, "the rate limiter is unavailable"), retryInfo(retryUnavailable))
}

// denial is the status of a denial, which shows the limits of the caller's own entity.
func denial(e *engine.ExceededError) error {
	public := e.Public()
	var details []protoadapt.MessageV1
	if !e.NeverFits {
		details = append(details, retryInfo(e.RetryAfter))
	}
	failure := &errdetails.QuotaFailure{}
	for _, v := range public.Violations() {
		failure.Violations = append(failure.Violations, &errdetails.QuotaFailure_Violation{
			Subject:         v.Entity,
			Description:     fmt.Sprintf("limit %s: %d requested, %d available of %d", v.Limit.Name, v.Requested, v.Remaining, v.Limit.Capacity),
			QuotaId:         v.Limit.Name,
			QuotaDimensions: map[string]string{"resource": v.Resource},
			QuotaValue:      v.Limit.Capacity,
		})
	}
	if len(failure.Violations) > 0 {
		details = append(details, failure)
	}
	return withDetails(status.New(codes.ResourceExhausted, strings.TrimPrefix(public.Error(), "engine: ")), details...)
}

func retryInfo(wait time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)}
}

func withDetails(s *status.Status, details ...protoadapt.MessageV1) error {
	if detailed, err := s.WithDetails(details...); err == nil {
		return detailed.Err()
	}
	return s.Err()
}

// retryDelay is how long the server asks to wait before the same call, if it does.
func retryDelay(err error) (time.Duration, bool) {
	s, ok := status.FromError(err)
	if !ok || s.Code() != codes.ResourceExhausted && s.Code() != codes.Unavailable {
		return 0, false
	}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}
