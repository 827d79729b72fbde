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

// Network is a bad network between a client and an emulator, below HTTP. It is safe for concurrent use.
type Network struct {
	Endpoint string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewNetwork returns a network to the emulator at an endpoint, until the test ends. It is good until a method makes it bad,
// for open connections as well as for new ones.
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

// Options returns a copy of o that goes through the network.
func (n *Network) Options(o *dynamo.Options) *dynamo.Options { return at(o, n.Endpoint) }

// Latency delays all replies.
func (n *Network) Latency(d time.Duration) { n.add("latency", "latency", d.Milliseconds()) }

// Reset resets connections, without a reply, some time after their first request.
func (n *Network) Reset(after time.Duration) { n.add("reset_peer", "timeout", after.Milliseconds()) }

// Silence drops all replies. Connections stay open.
func (n *Network) Silence() { n.add("timeout", "timeout", 0) }

// Limit closes each connection after a number of bytes of replies.
func (n *Network) Limit(bytes int64) { n.add("limit_data", "bytes", bytes) }

// Heal makes the network good again. Connections that were silenced are closed.
func (n *Network) Heal() { n.proxy.Toxics.ResetToxics(n.t.Context()) }

func (n *Network) add(kind, attribute string, value int64) {
	n.t.Helper()
	text := fmt.Sprintf(`{"type": %q, "stream": "downstream", "attributes": {%q: %d}}`, kind, attribute, value)
	if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		n.t.Fatal(err)
	}
}
