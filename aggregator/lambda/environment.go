package lambda

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/zeroae/zae-limiter-go/aggregator"
)

// maxDays is the longest retention in days.
const maxDays = 3650

// settings reads the environment. Empty variables count as unset, since the template sets all of them.
type settings struct{ getenv func(string) string }

func (s settings) table() (string, error) {
	name := s.getenv("TABLE_NAME")
	if name == "" {
		return "", invalidVariable("TABLE_NAME", name, "the name of the table")
	}
	return name, nil
}

func (s settings) options(ctx context.Context, log *slog.Logger) (o aggregator.Options, err error) {
	if text := s.getenv("SNAPSHOT_WINDOWS"); text != "" {
		for name := range strings.SplitSeq(text, ",") {
			o.Windows = append(o.Windows, aggregator.Window(strings.TrimSpace(name)))
		}
	}
	if o.UsageRetention, err = s.days("USAGE_RETENTION_DAYS"); err != nil {
		return o, err
	}
	if o.AuditRetention, err = s.days("AUDIT_RETENTION_DAYS"); err != nil {
		return o, err
	}
	if name := s.getenv("ARCHIVE_BUCKET_NAME"); name != "" {
		c, err := config.LoadDefaultConfig(ctx, config.WithLogger(sdkLogger(log)))
		if err != nil {
			return o, err
		}
		o.Archive = &s3Archive{s3.NewFromConfig(c).PutObject, name}
	}
	return o, nil
}

// sdkLogger passes the SDK's warnings, which are plain text by default, to the function's log.
func sdkLogger(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(kind logging.Classification, format string, args ...any) {
		level := slog.LevelDebug
		if kind == logging.Warn {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "SDK", "text", fmt.Sprintf(format, args...))
	})
}

// days returns the value of a variable with a number of days, 0 if it is not set.
func (s settings) days(name string) (time.Duration, error) {
	text := s.getenv(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxDays {
		return 0, invalidVariable(name, text, "a number of days, 1 to "+strconv.Itoa(maxDays))
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
