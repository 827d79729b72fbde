package routers

import (
	"net/http"

	"github.com/labstack/echo/v5"
)

// Echo has an adapter of its own.
func Echo(limited func(http.Handler) http.Handler) http.Handler {
	router := echo.New()
	router.GET("/health", echo.WrapHandler(http.HandlerFunc(ok)))
	v1 := router.Group("/v1", echo.WrapMiddleware(limited))
	v1.POST("/chat/:model", func(c *echo.Context) error {
		answer(c.Response(), c.Request(), c.Param("model"))
		return nil
	})
	return router
}
