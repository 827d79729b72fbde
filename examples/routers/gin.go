package routers

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Gin needs an adapter: its handlers call each other by gin.Context.
func Gin(limited func(http.Handler) http.Handler) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/health", gin.WrapF(ok))
	v1 := router.Group("/v1", adapt(limited))
	v1.POST("/chat/:model", func(c *gin.Context) {
		answer(c.Writer, c.Request, c.Param("model"))
	})
	return router
}

// adapt makes middleware for gin of middleware for net/http. It ends the request if that does not call its handler.
func adapt(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		admitted := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			admitted, c.Request = true, r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !admitted {
			c.Abort()
		}
	}
}
