// Command llm-gateway is a gateway in front of an LLM API of OpenAI's form. It limits requests and tokens a minute by key and by
// tenant, in DynamoDB, so that any number of gateways share the limits:
//
//	docker compose up --build --wait
//	curl -N http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer demo-secret-alice' \
//		-d '{"model":"gpt-4","stream":true,"messages":[{"role":"user","content":"hello"}]}'
//
// The first command returns when the gateway serves, which starts after its table and its limits are there.
//
// What everybody needs who uses the limiter in such a service is in limits.go; a test holds it to 40 lines. The other files are the
// gateway itself:
//
//   - keys.go finds the id of a key by the hash of its secret. The id is the entity; its parent is the tenant, and keys cascade.
//   - call.go reads a request and estimates its tokens.
//   - chat.go sends it to the upstream API, and passes the answer on. A whole answer is estimated and corrected. A stream is charged
//     while it runs, and cut if the limit is reached. If the client goes away, what was used is charged.
//   - serve.go serves, and shuts down in order: requests, then the limiter, then the store.
//
// If DynamoDB cannot be reached, requests are admitted. With --on-unavailable=local each process admits its share of the limits, and with
// block none. Metrics and readiness are on a port of their own.
//
// Command llm-gateway is an example: it has no billing and no other APIs than chat completions.
package main
