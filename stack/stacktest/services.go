package stacktest

import (
	"net/http"
	"strings"
)

// serveS3 passes requests on to the S3 behind, except those for settings of a bucket, which it does not have.
func (a *AWS) serveS3(w http.ResponseWriter, r *http.Request) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.authorize(s3Requests(r)...)
	answer := a.nextAnswer("s3:" + r.Method)
	a.catchUp()
	settings := r.URL.Query()
	switch {
	case answer != nil:
	case settings.Has("lifecycle"):
		rules := a.bucketSetting(r, "LifecycleConfiguration", "Rules")
		if rules != nil {
			writeXML(w, http.StatusOK, "LifecycleConfiguration", result{"Rule": lifecycle(rules)})
			return
		}
		answer = &Answer{http.StatusNotFound, "NoSuchLifecycleConfiguration", ""}
	case settings.Has("encryption"):
		rules := a.bucketSetting(r, "BucketEncryption", "ServerSideEncryptionConfiguration")
		if rules != nil {
			rule := result{"ApplyServerSideEncryptionByDefault": result(mapping(at(rules[0], "ServerSideEncryptionByDefault")))}
			writeXML(w, http.StatusOK, "ServerSideEncryptionConfiguration", result{"Rule": rule})
			return
		}
		answer = &Answer{http.StatusNotFound, "ServerSideEncryptionConfigurationNotFoundError", ""}
	default:
		a.s3.ServeHTTP(w, r)
		return
	}
	writeXML(w, answer.Status, "Error", result{"Code": answer.Code, "Message": answer.Message})
}

// bucketSetting returns a list among the properties of the bucket that a request names, nil if it has none.
func (a *AWS) bucketSetting(r *http.Request, names ...string) []any {
	list, _ := a.existing[bucketKind+" "+strings.Trim(r.URL.Path, "/")].at(names...).([]any)
	return list
}

// lifecycle returns the rules of a bucket by which objects move to another storage.
func lifecycle(rules []any) (all []result) {
	for _, rule := range rules {
		var moves []result
		transitions, _ := at(rule, "Transitions").([]any)
		for _, to := range transitions {
			moves = append(moves, result{"Days": at(to, "TransitionInDays"), "StorageClass": at(to, "StorageClass")})
		}
		all = append(all, result{"ID": at(rule, "Id"), "Status": at(rule, "Status"), "Transition": moves})
	}
	return all
}
