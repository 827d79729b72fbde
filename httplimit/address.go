package httplimit

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress is the entity of a caller without a key: the address of the client, or the prefix of it that one customer of a
// provider has.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, ok := parseAddress(r.RemoteAddr) // other middleware may have set it, without a port
	if !ok {
		return "ip:unknown" // a Unix socket, or a listener of the program's own
	}
	address := forwardedFor(r, peer, trusted)
	if address.Is4() {
		return "ip:" + address.String()
	}
	prefix, _ := address.Prefix(64) // fails only for more bits than an address has
	return "ip:" + prefix.String()
}

// forwardedFor follows X-Forwarded-For from the peer backwards as long as the proxies are trusted. An entry that is not an address
// ends it: the proxy that has added it is the client.
func forwardedFor(r *http.Request, address netip.Addr, trusted []netip.Prefix) netip.Addr {
	isTrusted := func(p netip.Prefix) bool { return p.Contains(address) }
	if !slices.ContainsFunc(trusted, isTrusted) {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		before, ok := parseAddress(strings.TrimSpace(hop))
		if !ok {
			return address
		}
		if address = before; !slices.ContainsFunc(trusted, isTrusted) {
			return address
		}
	}
	return address
}

// plainPrefixes writes networks of IPv4 in the form of the addresses that they are compared with. It panics at a prefix that would
// match nothing, or not all that it says.
func plainPrefixes(all []netip.Prefix) (plain []netip.Prefix) {
	const mapped = 96 // bits before an IPv4 address in IPv6
	for i, p := range all {
		switch {
		case !p.IsValid():
			panic(fmt.Sprintf("httplimit.New: Options.TrustedProxies[%d] is invalid: write a network such as 10.0.0.0/8", i))
		case p.Addr().Is4In6() && p.Bits() < mapped:
			panic(fmt.Sprintf("httplimit.New: Options.TrustedProxies[%d] is %v, with IPv4 and other addresses: "+
				"write the network of IPv4 as such, for example 10.0.0.0/8, and that of IPv6 as another one", i, p))
		case p.Addr().Is4In6():
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		plain = append(plain, p)
	}
	return plain
}

// parseAddress reads an address, with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return plain(withPort.Addr()), true
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return plain(address), err == nil
}

// plain is an address without its zone, since no prefix contains an address with one; and an IPv4 address has one form only.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
