package stacktest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
)

// partitions are those of regions, by how their names begin.
var partitions = []struct{ prefix, name string }{{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}}

func partitionOf(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return "aws"
}

// elsewhere serves the account as that of another region: what it says of [Region] and of the partition aws is said of that
// region and its partition, and requests are read so. A request that speaks of [Region] or of the partition aws is rejected:
// somebody has written them down instead of asking.
func (a *AWS) elsewhere(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := string(body)
	isForm := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if isForm {
		if text, err = url.QueryUnescape(text); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if strings.Contains(text, "arn:aws:") || strings.Contains(text, Region) {
		http.Error(w, "stacktest: the request speaks of "+Region+" or of the partition aws, and this is "+a.region, http.StatusBadRequest)
		return
	}
	home := strings.NewReplacer("arn:"+partitionOf(a.region)+":", "arn:aws:", a.region, Region)
	if isForm {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for name := range form {
			for i, v := range form[name] {
				form[name][i] = home.Replace(v)
			}
		}
		text = form.Encode()
	} else {
		text = home.Replace(text)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	reply := httptest.NewRecorder()
	serve(reply, r)
	away := strings.NewReplacer("arn:aws:", "arn:"+partitionOf(a.region)+":", Region, a.region)
	out := []byte(away.Replace(reply.Body.String()))
	for name, values := range reply.Header() {
		w.Header()[name] = values
	}
	w.Header().Del("X-Amz-Crc32")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(reply.Code)
	_, _ = io.Copy(w, bytes.NewReader(out)) // a client that has gone reads nothing
}
