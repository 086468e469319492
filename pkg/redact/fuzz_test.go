package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// forms are lines in which programs print credentials; %s is where it stands.
var forms = []string{
	"password=%s",
	"--client-secret=%s",
	"OAUTH2_PROXY_COOKIE_SECRET=%s",
	`password: "%s"`,
	"  secret: %s",
	`{"user":"me","password":"%s"}`,
	`{"msg":"{\"password\":\"%s\"}"}`,
	"Authorization: Bearer %s",
	"Cookie: a=1; oauth2_proxy_kubeflow=%s; b=2",
	"oauth2_proxy_kubeflow_0=%s; Path=/",
	"GET /oauth2/callback?code=%s&state=%s HTTP/1.1",
	"http://127.0.0.1:8888/lab?token=%s",
	"rd=%%2Foauth2%%2Fcallback%%3Fcode%%3D%s%%26state%%3D%s",
	"postgres://dex:%s@db:5432/dex",
	"-----BEGIN EC PRIVATE KEY-----\n%s\n-----END EC PRIVATE KEY-----",
}

// word makes a credential of whatever the fuzzer has: what generators of passwords and
// tokens use, and nothing that could stand in the rest of a text by chance.
func word(raw string) string {
	var b strings.Builder
	b.WriteString("pl4nted")
	for _, r := range raw {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// FuzzLog checks that a credential in each of the forms goes, whatever lines are around it,
// and that what is left is not changed by a second time.
func FuzzLog(f *testing.F) {
	for i := range forms {
		f.Add(uint8(i), "s3cret", "an ordinary line", "another=one")
	}
	f.Add(uint8(0), "x", `{"password":"`, `"}`)
	f.Add(uint8(6), "x", `token: '`, "\\\"")
	f.Add(uint8(14), "x", "-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, form uint8, secret, before, after string) {
		secret = word(secret)
		if strings.Contains(before+after, secret) {
			return
		}
		line := strings.ReplaceAll(strings.ReplaceAll(forms[int(form)%len(forms)], "%s", secret), "%%", "%")
		text := before + "\n" + line + "\n" + after
		for name, redact := range map[string]func(string) string{"Log": Log, "Message": Message} {
			// A bare `secret: word` names an object in the sentences of Kubernetes.
			if name == "Message" && strings.HasPrefix(strings.TrimSpace(line), "secret:") {
				continue
			}
			got := redact(text)
			if strings.Contains(got, secret) {
				t.Errorf("%s: %q is still in %q", name, secret, got)
			}
			if again := redact(got); strings.Contains(again, secret) {
				t.Errorf("%s: a second time brings back %q: %q", name, secret, again)
			}
		}
		if utf8.ValidString(text) && !utf8.ValidString(Log(text)) {
			t.Errorf("a character is broken in %q", Log(text))
		}
	})
}

// FuzzKnown checks that a known value goes in every form, wherever it stands.
func FuzzKnown(f *testing.F) {
	for _, secret := range []string{`s3cr&t "Wörd"/x`, "plainpassword", "with\nlines of text in it that are long", "  blanks  ", "<html>&amp;", "\u2028uncommon\u2029", "aaaaaaaaaaaa"} {
		f.Add(secret, "before ", " after")
	}
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		// A value of which Mark is a part comes back by the replacement itself.
		if len(strings.TrimSpace(secret)) < minKnown || len(secret) > 4096 || strings.ContainsAny(secret, "[]") || strings.Contains(Mark, secret) || !utf8.ValidString(secret) {
			return
		}
		k := NewKnown()
		k.Learn(secret)
		quoted, err := json.Marshal(before + secret + after)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for form, c := range map[string]struct{ text, gone string }{
			"as it is":  {before + secret + after, secret},
			"in JSON":   {string(quoted), string(inner[1 : len(inner)-1])},
			"in a URL":  {before + url.QueryEscape(secret) + after, url.QueryEscape(secret)},
			"in a path": {before + url.PathEscape(secret) + after, url.PathEscape(secret)},
			"in Base64": {base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret))},
		} {
			if got := k.Replace(c.text); strings.Contains(got, c.gone) {
				t.Errorf("%s: %q is still in %q", form, c.gone, got)
			}
		}
		// Of a value within something longer its ends stay: two characters of it at most.
		if len(secret) >= 9 {
			if text := base64.StdEncoding.EncodeToString([]byte(before + secret + after)); !strings.Contains(k.Replace(text), Mark) {
				t.Errorf("%q is still in the Base64 of %q", secret, before+secret+after)
			}
		}
	})
}

// sizes are what is left of a Secret's value.
var sizes = regexp.MustCompile(`^\[\d+ bytes\]$`)

// FuzzObject checks that no object can be made of which a Secret's value or a variable's is
// left, however odd its fields are.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{"kind":"Secret","metadata":{"name":"s"},"data":{"a":"c2VjcmV0","b":"not Base64"},"stringData":{"c":"d"}}`,
		`{"kind":"Secret","metadata":{"name":"s"},"data":["a"],"stringData":"b"}`,
		`{"kind":"Secret","metadata":{"name":"s"},"data":{"a":{"b":"c"}}}`,
		`{"kind":"Pod","metadata":{"name":"p","managedFields":[{}]},"spec":{"containers":[{"name":"c","env":[{"name":"A","value":"b"},{"name":"B","value":1}],"args":["--token","x"]}]}}`,
		`{"kind":"Pod","spec":{"env":{"name":"A","value":"b"}}}`,
		`{"kind":"ConfigMap","data":{"password":"x","f":"secret: y"},"binaryData":{"z":"AAAA"}}`,
		`{"kind":"Service","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"x","password":"y"}}}`,
		`{"kind":1,"metadata":[]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(text, &u.Object) != nil || u.Object == nil {
			return
		}
		known := NewKnown()
		known.LearnFrom(u.DeepCopy())
		Object(u, known, Counts{})
		if _, err := json.Marshal(u.Object); err != nil {
			t.Fatal(err)
		}
		if u.GetKind() == "Secret" {
			for _, field := range []string{"data", "stringData"} {
				wantSizes(t, field, u.Object[field])
			}
		}
		wantNoVariables(t, u.Object)
		if u.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"] != "" {
			t.Error("the last applied configuration is still there")
		}
	})
}

// wantSizes accepts nothing but sizes, at any depth.
func wantSizes(t *testing.T, field string, v any) {
	t.Helper()
	values, ok := v.(map[string]any)
	if !ok && v != nil && v != Mark {
		t.Errorf("%s of a Secret is %v", field, v)
	}
	for key, value := range values {
		if text, ok := value.(string); !ok || !sizes.MatchString(text) {
			t.Errorf("%s of a Secret has %s: %v", field, key, value)
		}
	}
}

// wantNoVariables accepts no value in a list that is called env, at any depth.
func wantNoVariables(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if variables, ok := child.([]any); ok && key == "env" {
				for _, item := range variables {
					variable, _ := item.(map[string]any)
					if value := variable["value"]; value != nil && value != "" && value != Mark {
						t.Errorf("a variable has the value %v", value)
					}
				}
			}
			wantNoVariables(t, child)
		}
	case []any:
		for _, child := range v {
			wantNoVariables(t, child)
		}
	}
}
