package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const inDexsFormat = `
type: oidc
id: keycloak
name: Keycloak
config:
  issuer: https://keycloak.example.com/realms/main
  clientID: jupyter
`

func TestAConnectorIsReadInDexsOwnFormat(t *testing.T) {
	want := &Connector{ID: "keycloak", Type: OIDC, Name: "Keycloak", Config: map[string]any{"issuer": "https://keycloak.example.com/realms/main", "clientID": "jupyter"}}
	list := "issuer: x\nconnectors:\n- " + strings.ReplaceAll(strings.TrimSpace(inDexsFormat), "\n", "\n  ")
	for name, text := range map[string]string{"alone": inDexsFormat, "in a configuration of Dex": list} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAFileThatIsNoConnectorIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"two connectors":    {"connectors: [{type: a}, {type: b}]", "one by one"},
		"an unknown field":  {"type: ldap\nconfiguration: {}", `unknown field "configuration"`},
		"a field twice":     {"type: ldap\ntype: oidc", "already set"},
		"no type":           {"id: x", "has no type"},
		"a list":            {"[1, 2]", "not an object"},
		"nothing":           {"", "has no type"},
		"another structure": {"type: [ldap]", "not an object with"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one about %q", err, c.want)
			}
		})
	}
}

func TestConnectorsAreRefusedThatDexWouldNotTakeOrThatLetInAnybody(t *testing.T) {
	for name, c := range map[string]struct {
		connector Connector
		want      string // empty: taken
	}{
		"a directory":                 {*connector("ldap.example.com", nil), ""},
		"one that lets in everybody":  {Connector{ID: "m", Type: "mockCallback", Name: "m", Config: map[string]any{"a": 1}}, "lets everyone in"},
		"one that believes headers":   {Connector{ID: "p", Type: "authproxy", Name: "p", Config: map[string]any{"a": 1}}, "believes headers"},
		"an unknown type":             {Connector{ID: "x", Type: "nis", Name: "x", Config: map[string]any{"a": 1}}, `unknown type "nis"`},
		"the ID of Dex's own":         {Connector{ID: "local", Type: LDAP, Name: "x", Config: map[string]any{"a": 1}}, "its own passwords"},
		"an ID that names no object":  {Connector{ID: "My LDAP", Type: LDAP, Name: "x", Config: map[string]any{"a": 1}}, "lower-case"},
		"no name for the login page":  {Connector{ID: "x", Type: LDAP, Config: map[string]any{"a": 1}}, "has no name"},
		"no configuration":            {Connector{ID: "x", Type: LDAP, Name: "x"}, "no configuration"},
		"a variable":                  {Connector{ID: "x", Type: OIDC, Name: "x", Config: map[string]any{"clientSecret": "$SECRET"}}, "config.clientSecret"},
		"a variable deep inside":      {Connector{ID: "x", Type: LDAP, Name: "x", Config: map[string]any{"userSearch": map[string]any{"a": []any{"${BASE}"}}}}, "config.userSearch.a[0]"},
		"a secret that starts with $": {Connector{ID: "x", Type: OIDC, Name: "x", Config: map[string]any{"clientSecret": "$3cr3t!"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.connector.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want one about %q", err, c.want)
			}
		})
	}
}

// FuzzParse checks that whatever a file has, it is refused or is a connector that can be
// validated and stored.
func FuzzParse(f *testing.F) {
	for _, text := range []string{inDexsFormat, "connectors: [{type: ldap, config: {a: [1, {b: $C}]}}]", "[]", "a: &a [*a]", "type: \xff", "{", "type: ldap\nconfig: null"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if c.Type == "" {
			t.Fatalf("%q has no type", text)
		}
		if c.Validate() != nil {
			return
		}
		_ = c.Check()
		_, _, _ = c.Server(), c.Limits(), c.Callback()
		u, err := object("dex.coreos.com/v1", c)
		if err != nil {
			t.Fatal(err)
		}
		if back := storedOf(u); back.Broken != nil || back.ID != c.ID || back.Type != c.Type {
			t.Errorf("%q is stored as %+v", text, back)
		}
	})
}
