package lambda

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/zeroae/zae-limiter-go/aggregator"
)

// mostDays is the longest retention.
const mostDays = 3650

// settings read the environment. Unset and empty variables are the same: a template sets all.
type settings struct{ getenv func(string) string }

func (s settings) table() (string, error) {
	name := s.getenv("TABLE_NAME")
	if name == "" {
		return "", badVariable("TABLE_NAME", name, "the name of the table")
	}
	return name, nil
}

func (s settings) options(ctx context.Context) (o aggregator.Options, err error) {
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
		c, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return o, err
		}
		o.Archive = &bucket{s3.NewFromConfig(c).PutObject, name}
	}
	return o, nil
}

// days is a variable with a number of days, 0 where it is not set.
func (s settings) days(name string) (time.Duration, error) {
	text := s.getenv(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostDays {
		return 0, badVariable(name, text, "a number of days, 1 to "+strconv.Itoa(mostDays))
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
