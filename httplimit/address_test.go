package httplimit

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"), netip.MustParsePrefix("fe80::/10"),
	}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		trusted    []netip.Prefix
		want       string
	}{
		{"IPv4", "192.0.2.1:80", nil, nil, "192.0.2.1"},
		{"IPv6", "[2001:db8:1:2:3:4:5:6]:80", nil, nil, "2001:db8:1:2::/64"},
		{"same customer", "[2001:db8:1:2:ffff::]:80", nil, nil, "2001:db8:1:2::/64"},
		{"zone", "[fe80::1%eth0]:80", nil, nil, "fe80::/64"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:80", nil, nil, "192.0.2.1"},
		{"set by a middleware", "192.0.2.1", nil, nil, "192.0.2.1"},
		{"IPv6 set by a middleware", "2001:db8:1:2::3", nil, nil, "2001:db8:1:2::/64"},
		{"proxy set by a middleware", "10.0.0.1", []string{"192.0.2.9"}, proxies, "192.0.2.9"},
		{"socket", "@", nil, proxies, "unknown"},
		{"nothing", "", nil, nil, "unknown"},

		{"nobody trusted", "10.0.0.1:80", []string{"192.0.2.9"}, nil, "10.0.0.1"},
		{"peer not trusted", "192.0.2.1:80", []string{"192.0.2.9"}, proxies, "192.0.2.1"},
		{"proxy", "10.0.0.1:80", []string{"192.0.2.9"}, proxies, "192.0.2.9"},
		{"invented", "10.0.0.1:80", []string{"198.51.100.1, 192.0.2.9"}, proxies, "192.0.2.9"},
		{"two proxies", "10.0.0.1:80", []string{"198.51.100.1, 192.0.2.9, 10.0.0.2"}, proxies, "192.0.2.9"},
		{"two lines", "10.0.0.1:80", []string{"198.51.100.1", "192.0.2.9,10.0.0.2"}, proxies, "192.0.2.9"},
		{"only proxies", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, proxies, "10.0.0.3"},
		{"no header", "10.0.0.1:80", nil, proxies, "10.0.0.1"},
		{"rubbish", "10.0.0.1:80", []string{"192.0.2.9, unknown, 10.0.0.2"}, proxies, "10.0.0.2"},
		{"with port", "10.0.0.1:80", []string{"192.0.2.9:1234"}, proxies, "192.0.2.9"},
		{"IPv6 proxy", "[2001:db8:ffff::1]:80", []string{"[2001:db8:1:2::3]"}, proxies, "2001:db8:1:2::/64"},
		{"IPv6 with port", "10.0.0.1:80", []string{"[2001:db8:1:2::3]:99"}, proxies, "2001:db8:1:2::/64"},
		{"proxy with zone", "[fe80::1%eth0]:80", []string{"192.0.2.9, fe80::2%eth1"}, proxies, "192.0.2.9"},
		{"mapped", "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.9"}, proxies, "192.0.2.9"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientAddress(r, c.trusted); got != "ip:"+c.want {
			t.Errorf("%s: %s, want ip:%s", c.name, got, c.want)
		}
	}
}
