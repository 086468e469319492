package redact

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// certificates sums up PEM certificates, in clear or in Base64: whose they are, until
// when they hold, and a fingerprint to compare them by. That tells a reader more than
// their text, which is also in Secrets. Anything else is not touched, except that a
// private key in Base64 becomes Mark.
func certificates(s string) (string, bool) {
	text := s
	if !strings.Contains(text, "-----BEGIN ") {
		if len(s) < 64 || !strings.HasPrefix(s, "LS0t") {
			return "", false
		}
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", false
		}
		text = string(raw)
	}
	var lines []string
	rest := []byte(text)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			lines = append(lines, summary(block.Bytes))
		case "CERTIFICATE REQUEST":
			lines = append(lines, "[certificate request]")
		default:
			lines = append(lines, Mark)
		}
	}
	if len(lines) == 0 {
		if text != s && strings.Contains(text, privateKeyBlock) {
			return Mark, true
		}
		return "", false
	}
	// Something beside the certificates, such as a script that holds one, is a text.
	if text == s && (!strings.HasPrefix(strings.TrimSpace(s), "-----BEGIN ") || strings.TrimSpace(string(rest)) != "") {
		return "", false
	}
	return strings.Join(lines, "\n"), true
}

func summary(der []byte) string {
	fingerprint := sha256.Sum256(der)
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Sprintf("[certificate that cannot be read, sha256 %x]", fingerprint[:8])
	}
	return fmt.Sprintf("[certificate of %q by %q, from %s until %s, sha256 %x]", c.Subject, c.Issuer,
		c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339), fingerprint[:8])
}
