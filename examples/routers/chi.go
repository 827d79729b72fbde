package routers

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Chi takes the middleware as it is, for all routes or for some.
func Chi(limited func(http.Handler) http.Handler) http.Handler {
	router := chi.NewRouter()
	router.Get("/health", ok)
	router.Route("/v1", func(v1 chi.Router) {
		v1.Use(limited)
		v1.Post("/chat/{model}", func(w http.ResponseWriter, r *http.Request) {
			answer(w, r, chi.URLParam(r, "model"))
		})
	})
	return router
}
