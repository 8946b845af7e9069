// An origin that verifies Sallyport-Jwt-Assertion with Go's standard library alone. Answers 200 and says who is asking, or
// 403. Settings come from the environment; must not trust any other header.
package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const skew = 30 * time.Second

// Verifier checks assertions of one relay for one application.
type Verifier struct {
	AuthURL  string // https://auth.example.com
	Audience string // https://grafana.example.com: the application's public URL
	JWKSURL  string

	mu      sync.Mutex
	keys    map[string]*ecdsa.PublicKey
	fetched time.Time
}

// Claims are what an origin usually wants to know.
type Claims struct {
	Kind      string `json:"kind"`
	Subject   string `json:"sub"`
	Email     string `json:"email,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	Audience  string `json:"aud,omitempty"`
	ExpiresAt int64  `json:"exp,omitempty"`
	NotBefore int64  `json:"nbf,omitempty"`
}

// Verify says who is asking, or why the assertion is not genuine, current, and for this application.
func (v *Verifier) Verify(token string) (*Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 16384 {
		return nil, errors.New("not a token")
	}
	var header struct{ Alg, Typ, Kid string }
	if err := decode(parts[0], &header); err != nil {
		return nil, err
	}
	// The algorithm is ours to choose, never the sender's.
	if header.Alg != "ES256" || header.Typ != "sallyport-assertion+jwt" {
		return nil, errors.New("not an assertion")
	}
	key, err := v.key(header.Kid)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return nil, errors.New("malformed signature")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return nil, errors.New("signature does not verify")
	}
	var claims Claims
	if err := decode(parts[1], &claims); err != nil {
		return nil, err
	}
	return &claims, v.judge(&claims, time.Now())
}

func (v *Verifier) judge(claims *Claims, now time.Time) error {
	switch {
	case claims.Issuer != v.AuthURL:
		return errors.New("of another relay")
	case claims.Audience != v.Audience:
		return errors.New("for another application")
	case claims.Subject == "":
		return errors.New("of nobody")
	case now.After(time.Unix(claims.ExpiresAt, 0).Add(skew)):
		return errors.New("expired")
	case now.Before(time.Unix(claims.NotBefore, 0).Add(-skew)):
		return errors.New("not valid yet")
	}
	return nil
}

// key knows the keys for 5 minutes; one it does not know makes it ask, at most every 30 seconds.
func (v *Verifier) key(kid string) (*ecdsa.PublicKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	age := time.Since(v.fetched)
	if _, known := v.keys[kid]; age > 5*time.Minute || (!known && age > 30*time.Second) {
		v.fetched = time.Now()
		if keys, err := fetch(v.JWKSURL); err != nil {
			// The keys that are known stay good: an hour passes before a new one signs.
			log.Println("cannot read the key set:", err)
		} else {
			v.keys = keys
		}
	}
	key, known := v.keys[kid]
	if !known {
		return nil, errors.New("by an unknown key")
	}
	return key, nil
}

var client = &http.Client{Timeout: 10 * time.Second}

func fetch(from string) (map[string]*ecdsa.PublicKey, error) {
	response, err := client.Get(from)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the key set answers %s", response.Status)
	}
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X, Y string }
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&set); err != nil {
		return nil, err
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, jwk := range set.Keys {
		if jwk.Kty != "EC" || jwk.Crv != "P-256" {
			continue
		}
		if key, err := publicKey(jwk.X, jwk.Y); err == nil {
			keys[jwk.Kid] = key
		}
	}
	return keys, nil
}

// p256 is what stands before the point in the DER form of a public key of this curve (RFC 5480).
const p256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200"

// publicKey leaves it to crypto/x509 to check that the point is on the curve: the one way that all versions of Go since 1.19
// have and none deprecates.
func publicKey(x, y string) (*ecdsa.PublicKey, error) {
	der, _ := hex.DecodeString(p256 + "04")
	for _, coordinate := range []string{x, y} {
		bytes, err := base64.RawURLEncoding.DecodeString(coordinate)
		if err != nil || len(bytes) != 32 {
			return nil, errors.New("malformed key")
		}
		der = append(der, bytes...)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("not a key of this curve")
	}
	return key, nil
}

func decode(encoded string, into any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return errors.New("malformed token")
	}
	return json.Unmarshal(text, into)
}

func either(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func main() {
	authURL := os.Getenv("SALLYPORT_AUTH_URL")
	verifier := &Verifier{
		AuthURL:  authURL,
		Audience: os.Getenv("SALLYPORT_AUDIENCE"),
		JWKSURL:  either(os.Getenv("SALLYPORT_JWKS_URL"), authURL+"/.well-known/jwks.json"),
	}
	if authURL == "" || verifier.Audience == "" {
		log.Fatal("set SALLYPORT_AUTH_URL and SALLYPORT_AUDIENCE")
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		claims, err := verifier.Verify(r.Header.Get("Sallyport-Jwt-Assertion"))
		if err != nil {
			log.Println("refused:", err)
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		w.Header().Set("X-User", url.PathEscape(either(claims.Email, claims.Subject)))
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(Claims{Kind: claims.Kind, Subject: claims.Subject, Email: claims.Email})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+either(os.Getenv("PORT"), "3000"))
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on", listener.Addr())
	log.Fatal((&http.Server{ReadHeaderTimeout: 10 * time.Second}).Serve(listener))
}
