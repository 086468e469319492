package redact

import (
	"strings"
	"testing"
)

// planted must be gone from every text that has it.
const planted = "pl4nted-Va1ue"

func TestWhatLooksLikeACredentialGoes(t *testing.T) {
	const hash = "$2y$12$4K/VkmDd1q1Orb3xAt82zu8gk7Ad6ReFR4LCP9UeYE90NLiN9Df72"
	for name, text := range map[string]string{
		"an assignment":                    "starting with password=" + planted + " now",
		"a flag":                           "--client-secret=" + planted,
		"a variable":                       "OAUTH2_PROXY_COOKIE_SECRET=" + planted,
		"a quoted word":                    `password: "` + planted + ` with spaces"`,
		"TOML":                             `client_secret = "` + planted + `"`,
		"YAML":                             "  secret: " + planted,
		"JSON":                             `{"user":"me","password":"` + planted + `"}`,
		"JSON within JSON":                 `{"msg":"{\"password\":\"` + planted + `\"}"}`,
		"a value with an escaped quote":    `{"password":"a\"` + planted + `"}`,
		"a bearer token":                   "Authorization: Bearer " + planted,
		"basic authentication":             `"authorization":["Basic ` + planted + `=="]`,
		"a cookie header":                  "Cookie: a=1; oauth2_proxy_kubeflow=" + planted + "; b=" + planted,
		"a cookie in structured logs":      `{"set-cookie":["a=` + planted + `; Path=/"]}`,
		"a session cookie by itself":       "oauth2_proxy_kubeflow=" + planted + "; Path=/",
		"a CSRF cookie":                    "oauth2_proxy_kubeflow_csrf_abc=" + planted,
		"the code of a login":              "GET /oauth2/callback?code=" + planted + "&state=" + planted + " HTTP/1.1",
		"the state of a login":             "unable to obtain CSRF cookie: none was found (state=" + planted + ")",
		"a token in a URL":                 "http://127.0.0.1:8888/lab?token=" + planted,
		"a quoted URL":                     "rd=%2Foauth2%2Fcallback%3Fcode%3D" + planted + "%26state%3D" + planted,
		"a request as Go prints it":        "&{GET /cb HTTP/1.1 map[Cookie:[a=" + planted + "; b=" + planted + "]] map[code:[" + planted + "] state:[" + planted + ":/jupyter/]]}",
		"a URL with a password":            "postgres://dex:" + planted + "@db:5432/dex",
		"a JSON web token":                 "token eyJhbGciOiJSUzI1NiJ9.eyJwbDRudGVkLVZhMXVl." + planted,
		"a bcrypt hash":                    "hash: " + hash,
		"an argon2 hash":                   "$argon2id$v=19$m=65536,t=3,p=4$" + planted + "$aaaaaaaaaaaaaaaaaaaa",
		"a private key":                    "-----BEGIN RSA PRIVATE KEY-----\n" + planted + "\n-----END RSA PRIVATE KEY-----",
		"a private key in one line":        `"key":"-----BEGIN PRIVATE KEY-----\n` + planted + `\n-----END PRIVATE KEY-----\n"`,
		"a private key that is cut off":    "-----BEGIN EC PRIVATE KEY-----\n" + planted,
		"the rest of a private key":        "2026-01-01T00:00:00Z MIIEpAIBAAKCAQEA" + strings.ReplaceAll(planted, "-", "/") + "\n2026-01-01T00:00:00Z -----END PRIVATE KEY-----",
		"a key of a cloud":                 "using AKIAIOSFODNN7EXAMPLE",
		"a token of a code host":           "cloning with ghp_abcdefghijklmnopqrstuvwxyz0123456789",
		"a password after an empty one":    "password= secret=" + planted,
		"a password beside a harmless one": "cookie_secure = true, cookie_secret = " + planted,
	} {
		t.Run(name, func(t *testing.T) {
			got := Log(text)
			for _, bad := range []string{planted, strings.ReplaceAll(planted, "-", "/"), hash, "AKIA", "ghp_", "eyJ"} {
				if strings.Contains(text, bad) && strings.Contains(got, bad) {
					t.Errorf("%q is still in %q", bad, got)
				}
			}
			if !strings.Contains(got, Mark) {
				t.Errorf("nothing was taken out: %q", got)
			}
			if again := Log(got); again != got {
				t.Errorf("a second time changes it: %q, then %q", got, again)
			}
		})
	}
}

func TestWhatIsNoCredentialStays(t *testing.T) {
	for _, text := range []string{
		`level=info msg="listening" addr=0.0.0.0:4180`,
		"cookie_name = oauth2_proxy_kubeflow_name",
		"cookie_expire = 24h0m0s",
		"cookie_secure: false",
		"secretName: webhook-certs",
		"tokenExpirationSeconds: 3600",
		"Could not find CSRF cookie XSRF-TOKEN in the request.",
		"MountVolume.SetUp failed: references non-existent secret key",
		"Jwt issuer is not configured",
		"reconciling AuthorizationPolicy istio-system/global-deny-all",
		"hashFromEnv: DEX_USER_PASSWORD",
	} {
		if got := Log(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{
		`MountVolume.SetUp failed for volume "certs" : secret "webhook-certs" not found`,
		`Error: secret: webhook-certs not found`,
	} {
		if got := Message(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := Message("Error: password: " + planted); strings.Contains(got, planted) {
		t.Errorf("%q still has the password", got)
	}
}

func TestWhatIsKnownGoesInEveryForm(t *testing.T) {
	const value = `s3cr&t "Wörd"/x`
	k := NewKnown()
	k.Learn(value)
	k.Learn("-----BEGIN X-----\nTHELINEOFAKEYTHATISLONGENOUGH\nshort\n-----END X-----\n")
	k.Learn("admin") // too short to be looked for
	k.Learn("kubeflow")
	k.Name("kubeflow")
	for _, text := range []string{
		value,
		"s3cr%26t+%22W%C3%B6rd%22%2Fx",
		"s3cr&t%20%22W%C3%B6rd%22%2Fx",
		`{"msg":"s3cr\u0026t \"Wörd\"/x"}`,
		"czNjciZ0ICJXw7ZyZCIveA==",               // Base64
		"dXNlcjpzM2NyJnQgIlfDtnJkIi94",           // of user:VALUE
		"YToKczNjciZ0ICJXw7ZyZCIveAo=",           // of three bytes before it
		"log line THELINEOFAKEYTHATISLONGENOUGH", // a line of a longer value
	} {
		if got := k.Replace(text); !strings.Contains(got, Mark) || strings.Contains(got, "s3cr") || strings.Contains(got, "THELINE") {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"namespace kubeflow", "user admin", "short"} {
		if got := k.Replace(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	line := `2026-11-22T18:50:00.000Z info model pushed XDS connection to node:jupyter-web-app-deployment-6b8.kubeflow resources:23 size:45.2kB cached:20/23` + "\n"
	text := strings.Repeat(line, 2000)
	k := NewKnown()
	for i := range 50 {
		k.Learn(strings.Repeat(string(rune('a'+i%26)), 20) + strings.Repeat("x", i))
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Log(k.Replace(text))
	}
}
