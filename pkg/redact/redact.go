// Package redact takes credentials out of what people send to each other: log lines,
// messages, objects. It works twice over: by form, for what looks like a credential,
// and by value, for what is known to be one (see Known). A word too many is better than
// a password.
package redact

import (
	"regexp"
	"slices"
	"strings"
)

// Mark stands where something was taken out.
const Mark = "[redacted]"

// words that make a name one of a credential.
const words = `passwo?r?d|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|cookie|credential|bind[-_]?pw`

var (
	// assignment is NAME=VALUE, NAME: VALUE and "NAME": "VALUE", also within quoted JSON.
	assignment = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:` + words + `)[a-z0-9_.-]*)((?:\\*["'])?\s*[:=]\s*)(\\+["'][^"'\\]*\\*["']?|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"']+)`)
	secretWord = regexp.MustCompile(`(?i)(?:` + words + `)`)
	// aboutSecret are ends of names that say something about a credential without holding it.
	aboutSecret = regexp.MustCompile(`(?i)(?:names?|refs?|paths?|files?|dir|namespace|expir[ey]s?|expiration|seconds|ttl|refresh|secure|httponly|samesite|domains?|enabled|policy|type|ur[il]|issuers?|audiences?|reviews?|endpoint|method|algorithm|size|length|count|selectors?|env|from-secret|requests?|not-shown)$`)
	// harmless values say nothing, whatever their name is.
	harmless = regexp.MustCompile(`(?i)^["']?(?:true|false|yes|no|on|off|null|nil|none|\d{1,3}[smh]?|\$\([^)]*\)|\$\{[^}]*\}|\{\{.*\}\}|` + regexp.QuoteMeta(Mark) + `|\[\d+ bytes\])?["']?$`)

	// header of a request. A cookie's has NAME=VALUE; sentences speak of cookies too.
	header  = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization\\*["']?\s*[:=]\s*(?:\[\s*\\*["']|\\*["'])?)[^"'\\\r\n]+`)
	cookies = regexp.MustCompile(`(?i)\b((?:set-)?cookie\\*["']?\s*[:=]\s*(?:\[\s*\\*["']|\\*["'])?)[^"'\\\r\n= ]+=[^"'\\\r\n]+`)
	bearer  = regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}`)
	// session cookies of this stack, wherever they stand.
	session   = regexp.MustCompile(`\b((?:_?oauth2_proxy\w*|_xsrf|authservice_session)=)[^;\s"'\\]+`)
	parameter = regexp.MustCompile(`(?i)([?&(](?:code|state|assertion|code_verifier|nonce|sig|signature|x-amz-signature)=)[^&\s"'#\\]+`)
	quoted    = regexp.MustCompile(`(?i)(%(?:3F|26)(?:code|state|assertion|code_verifier|nonce|[a-z_]*token)%3D)(?:[^%&\s"'\\]|%(?:3A|2F|2B|3D|20))+`)
	// form is a request as Go prints one, which oauth2-proxy does.
	form       = regexp.MustCompile(`(?i)\b((?:code|state|assertion|code_verifier|nonce):\[)[^\]\s]+`)
	jwt        = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`)
	userinfo   = regexp.MustCompile(`(://[^/\s:@]*:)[^@\s/]+@`)
	bcryptHash = regexp.MustCompile(`\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}`)
	otherHash  = regexp.MustCompile(`\$(?:argon2[a-z]*|pbkdf2[a-z0-9-]*|scrypt|[156y])\$[^\s"']{20,}`)
	issued     = regexp.MustCompile(`\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abps]-[\w-]{10,}|AIza[\w-]{35}|ya29\.[\w-]{20,})`)
	// privateKey ends with its last line or, when a log was cut, with the text.
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	// keyTail is the rest of one whose beginning was cut off.
	keyTail = regexp.MustCompile(`(?:[^\n]*[A-Za-z0-9+/=]{16,}\s*\n)*[^\n]*-----END [A-Z0-9 ]*PRIVATE KEY-----`)
)

const privateKeyBlock = "PRIVATE KEY-----"

// Log takes out of a program's output, or of a configuration file, what looks like a
// credential: values with telling names, headers, cookies, tokens, keys and hashes.
func Log(text string) string {
	return eachLine(text, func(string, string) bool { return true })
}

// Message is for what Kubernetes says. There `secret: ...` names an object and hides
// nothing, so a bare word before a colon is left alone.
func Message(text string) string {
	return eachLine(text, func(name, separator string) bool {
		return strings.Contains(separator, "=") || !bare[strings.ToLower(name)]
	})
}

// eachLine looks at lines one by one: most have nothing to hide, which is soon seen,
// and logs have many. Keys alone have several lines.
func eachLine(text string, wanted func(name, separator string) bool) string {
	if strings.Contains(text, privateKeyBlock) {
		text = privateKey.ReplaceAllString(text, Mark)
		text = keyTail.ReplaceAllString(text, Mark)
	}
	var b strings.Builder
	b.Grow(len(text))
	for line := range strings.Lines(text) {
		b.WriteString(oneLine(line, wanted))
	}
	return b.String()
}

func oneLine(line string, wanted func(name, separator string) bool) string {
	lower := strings.ToLower(line)
	has := func(literals ...string) bool {
		return slices.ContainsFunc(literals, func(l string) bool { return strings.Contains(lower, l) })
	}
	if has("authorization") {
		line = header.ReplaceAllString(line, "${1}"+Mark)
	}
	if has("cookie") {
		line = cookies.ReplaceAllString(line, "${1}"+Mark)
	}
	if has("bearer", "basic") {
		line = bearer.ReplaceAllString(line, "${1}"+Mark)
	}
	if has("eyj") {
		line = jwt.ReplaceAllString(line, Mark)
	}
	if has("$") {
		line = bcryptHash.ReplaceAllString(line, Mark)
		line = otherHash.ReplaceAllString(line, Mark)
	}
	if has("akia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxa-", "xoxb-", "xoxp-", "xoxs-", "aiza", "ya29.") {
		line = issued.ReplaceAllString(line, Mark)
	}
	if has("://") && has("@") {
		line = userinfo.ReplaceAllString(line, "${1}"+Mark+"@")
	}
	if has("oauth2_proxy", "_xsrf", "authservice_session") {
		line = session.ReplaceAllString(line, "${1}"+Mark)
	}
	if has("?", "&", "(") && has("=") {
		line = parameter.ReplaceAllString(line, "${1}"+Mark)
	}
	if has(":[") {
		line = form.ReplaceAllString(line, "${1}"+Mark)
	}
	if has("%3d") {
		line = quoted.ReplaceAllString(line, "${1}"+Mark)
	}
	if !has("passw", "passphrase", "secret", "token", "key", "cookie", "credential", "bind") {
		return line
	}
	return assignment.ReplaceAllStringFunc(line, func(found string) string {
		m := assignment.FindStringSubmatch(found)
		name, separator, value := m[1], m[2], m[3]
		if !SecretName(name) || harmless.MatchString(value) || strings.HasPrefix(value, Mark) || !wanted(name, separator) {
			return found
		}
		return name + separator + Mark
	})
}

// bare words name kinds of objects in Kubernetes' own sentences.
var bare = map[string]bool{"secret": true, "secrets": true, "token": true, "cookie": true, "credential": true, "credentials": true}

// SecretName tells of the name of a variable, a key or a field that its value is
// likely to be a credential: OIDC_CLIENT_SECRET is, cookie_expire and secretName are not.
func SecretName(name string) bool {
	return secretWord.MatchString(name) && !aboutSecret.MatchString(name)
}
