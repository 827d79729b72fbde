package httplimit

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"), netip.MustParsePrefix("fe80::/10"),
	}
	mapped := []netip.Prefix{netip.MustParsePrefix("::ffff:10.1.0.0/112")}
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
		{"mapped prefix", "10.1.2.3:80", []string{"192.0.2.9"}, mapped, "192.0.2.9"},
		{"mapped prefix and peer", "[::ffff:10.1.2.3]:80", []string{"192.0.2.9, ::ffff:10.1.2.4"}, mapped, "192.0.2.9"},
		{"not of the mapped prefix", "10.2.2.3:80", []string{"192.0.2.9"}, mapped, "10.2.2.3"},
		{"all of IPv4, mapped", "172.16.0.1:80", []string{"192.0.2.9"}, []netip.Prefix{netip.MustParsePrefix("::ffff:0:0/96")}, "192.0.2.9"},
		{"all of IPv6", "172.16.0.1:80", []string{"192.0.2.9"}, []netip.Prefix{netip.MustParsePrefix("::/0")}, "172.16.0.1"},
		{"mapped", "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.9"}, proxies, "192.0.2.9"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientAddress(r, (&Options{TrustedProxies: c.trusted}).withDefaults().TrustedProxies); got != "ip:"+c.want {
			t.Errorf("%s: %s, want ip:%s", c.name, got, c.want)
		}
	}
}

// New panics at networks that would match less than they say, and says what to write.
func TestBadProxies(t *testing.T) {
	for want, p := range map[string]netip.Prefix{
		"TrustedProxies[1] is invalid": {},
		"TrustedProxies[1] is ::ffff:10.0.0.0/95, with IPv4 and other addresses: write": netip.MustParsePrefix("::ffff:10.0.0.0/95"),
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, want) {
					t.Errorf("%v: %s", p, text)
				}
			}()
			New(nil, &Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), p}})
		}()
	}
}
