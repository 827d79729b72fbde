package httplimit

import (
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
