package lambda

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/aws/smithy-go/logging"
)

// TestSDKLogger checks that a warning of the SDK is a line of JSON, as all other lines of the function's log.
func TestSDKLogger(t *testing.T) {
	var out bytes.Buffer
	log := sdkLogger(slog.New(slog.NewJSONHandler(&out, nil)))
	log.Logf(logging.Debug, "not shown")
	log.Logf(logging.Warn, "no checksum of %d bytes", 3)
	var line struct{ Level, Msg, Text string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Level != "WARN" || line.Text != "no checksum of 3 bytes" {
		t.Errorf("%s, %v", out.String(), err)
	}
}
