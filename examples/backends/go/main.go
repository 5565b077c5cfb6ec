// net/http behind Kong: answers who calls, when a token of x-custom-jwt verifies, and 401 otherwise.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// caller is what the backend wants of a token; a token without it is refused.
type caller struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
}

func (c caller) Validate() error {
	if c.ClientID == "" {
		return jwt.ErrTokenRequiredClaimMissing
	}
	return nil
}

type callerKey struct{}

// verified lets a request through to next when its token verifies.
func verified(next http.Handler, parser *jwt.Parser, keySet keyfunc.Keyfunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var claims caller
		if _, err := parser.ParseWithClaims(r.Header.Get("X-Custom-Jwt"), &claims, keySet.KeyfuncCtx(r.Context())); err != nil {
			log.Printf("refused: %v", err)
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, claims)))
	})
}

func main() {
	// Exactly as in the plugin's configuration: `iss`, and `audience` or the URL of the Kong Service.
	issuer := cmp.Or(os.Getenv("ISSUER"), "https://api.example.com/x-custom-jwt")
	audience := cmp.Or(os.Getenv("AUDIENCE"), "http://orders:8080")
	// Configured here, and never taken from the token: whoever forges a token chooses its `jku`.
	jwksURL := cmp.Or(os.Getenv("JWKS_URL"), issuer+"/jwks")
	// How long a key is believed that has left the JWK Set.
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv("JWKS_CACHE_SECONDS"), "300"))
	if err != nil || seconds <= 0 {
		log.Fatal("JWKS_CACHE_SECONDS: a number of seconds is expected")
	}
	cache := time.Duration(seconds) * time.Second

	keySet, err := keyfunc.NewDefaultOverrideCtx(context.Background(), []string{jwksURL}, keyfunc.Override{
		RefreshInterval: cache,
		// A kid that is not in the set fetches it again, but no oftener than this.
		RefreshUnknownKID: rate.NewLimiter(rate.Every(cache/10), 1),
		// keyfunc's own is a minute: so long would a request with such a kid wait for its turn.
		RateLimitWaitMax: 5 * time.Second,
		HTTPTimeout:      5 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	parser := jwt.NewParser(
		// That of your key alone, never what the token says.
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(5*time.Second),
	)

	whoCalls := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := r.Context().Value(callerKey{}).(caller)
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"client_id": who.ClientID})
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), verified(whoCalls, parser, keySet)))
}
