package lambda_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator/lambda/lambdatest"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/stack"
)

// TestZip bounds the size of the function's code. The code for arm64, the default, is a tenth smaller than that for x86_64, which is
// larger than 8 MiB.
func TestZip(t *testing.T) {
	most := 8 << 20
	code, err := stack.ReadCode(lambdatest.Build(t))
	must(t, err)
	if code.Architecture == "x86_64" {
		most += 384 << 10
	}
	t.Logf("%.1f MB for %s", float64(len(code.Zip))/(1<<20), code.Architecture)
	if len(code.Zip) > most {
		t.Errorf("the zip has %d bytes, of %d at most", len(code.Zip), most)
	}
}

// TestColdStart bounds the time from the start of the program to its first reply, by the fastest of many starts: whatever else the
// machine does only adds to it.
func TestColdStart(t *testing.T) {
	const most, starts = 30 * time.Millisecond, 200
	program := lambdatest.Build(t)
	table, o := dynamotest.Table(t)
	least := time.Hour
	for n := range starts {
		begun := time.Now()
		r := lambdatest.Start(t, program, "TABLE_NAME="+table, "AWS_REGION="+o.Region, "AWS_ACCESS_KEY_ID=local",
			"AWS_SECRET_ACCESS_KEY=local", "AWS_ENDPOINT_URL_DYNAMODB="+o.Endpoint)
		_, err := r.Invoke(t.Context(), []byte(`{"Records":[]}`))
		least = min(least, time.Since(begun))
		must(t, err)
		r.Kill()
		if n >= 10 && least <= most {
			t.Logf("at least %v in %d starts", least, n+1)
			return
		}
	}
	t.Errorf("the fastest of %d starts took %v, of %v at most", starts, least, most)
}
