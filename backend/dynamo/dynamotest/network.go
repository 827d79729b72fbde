package dynamotest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// Network is a bad network before an emulator, below HTTP. It is safe for concurrent use.
type Network struct {
	Endpoint string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewNetwork stands before the emulator at an endpoint until the test ends; at first it is a good one. What is done to
// it holds for connections that are there as well as for new ones.
func NewNetwork(t testing.TB, endpoint string) *Network {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "dynamodb", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return &Network{Endpoint: "http://" + proxy.Listen, t: t, proxy: proxy}
}

// Options are o, but through the network.
func (n *Network) Options(o *dynamo.Options) *dynamo.Options { return at(o, n.Endpoint) }

// Latency holds all replies back for so long.
func (n *Network) Latency(d time.Duration) { n.add("latency", "latency", d.Milliseconds()) }

// Reset cuts connections hard, without a reply, so long after their first request.
func (n *Network) Reset(after time.Duration) { n.add("reset_peer", "timeout", after.Milliseconds()) }

// Silence lets no reply through. Connections stay open.
func (n *Network) Silence() { n.add("timeout", "timeout", 0) }

// Limit cuts each connection after so many bytes of replies.
func (n *Network) Limit(bytes int64) { n.add("limit_data", "bytes", bytes) }

// Heal makes it a good network again. Connections that were silenced are closed.
func (n *Network) Heal() { n.proxy.Toxics.ResetToxics(n.t.Context()) }

func (n *Network) add(kind, attribute string, value int64) {
	n.t.Helper()
	text := fmt.Sprintf(`{"type": %q, "stream": "downstream", "attributes": {%q: %d}}`, kind, attribute, value)
	if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		n.t.Fatal(err)
	}
}
