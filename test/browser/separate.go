package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// hostile is a page that a notebook serves: it tries to act in the web app as its visitor.
//
//go:embed page.html
var hostile string

// separation is what was seen of a notebook and of its page.
type separation struct {
	// Notebook is the page that Connect leads to.
	Notebook seen `json:"notebook"`
	// Works are what a notebook has to be able to do, each with what came.
	Works map[string]string `json:"works"`
	// Tried are the attempts of the hostile page, each with what came.
	Tried map[string]string `json:"tried"`
	// Framed are the frames of that page which show something.
	Framed []string `json:"framed"`
	// Before and After are the notebooks as the web app lists them to its own page.
	Before []string `json:"before"`
	After  []string `json:"after"`
	// Out is the page after signing out at the notebooks' origin, Again the notebook after
	// logging in from there.
	Out   seen `json:"out"`
	Again seen `json:"again"`
	// Tossed is what the web app answers after a page has set a session cookie for its paths.
	Tossed int `json:"tossed"`
}

// list asks the web app for the names of notebooks, as its own page does.
const list = `fetch(%q).then(a => a.json()).then(b => b.notebooks.map(n => n.name).sort())`

// works are what JupyterLab does with its server, tried with the notebook's own paths.
var works = map[string]string{
	"a kernel's WebSocket": `new Promise((yes, no) => {
		const s = new WebSocket(location.origin.replace("http", "ws") + %[1]q + "echo");
		s.onopen = () => yes("open"); s.onerror = () => no(new Error("refused"));
	})`,
	"its API":             `fetch(%[1]q + "api/kernels").then(a => String(a.status))`,
	"saving":              `fetch(%[1]q + "memory", {method: "PUT", body: "x = 1"}).then(a => String(a.status))`,
	"reading it back":     `fetch(%[1]q + "memory").then(a => a.text())`,
	"a cookie of its own": `(document.cookie = "mine=1; path=" + %[1]q, fetch(%[1]q + "echo").then(a => a.json()).then(h => (h.Cookie || h.cookie).join()))`,
}

// separate logs somebody in, opens a notebook as the web app does, and has it serve a page
// that tries to act in the web app.
func separate(ctx context.Context, o options) error {
	out := separation{Works: map[string]string{}}
	app, err := url.Parse(o.url)
	if err != nil {
		return err
	}
	origin := (&url.URL{Scheme: app.Scheme, Host: app.Host}).String()
	at := "/notebook/" + o.namespace + "/" + o.notebook + "/"
	api := "/jupyter/api/namespaces/" + o.namespace + "/notebooks"
	names := func() ([]string, error) {
		if err := chromedp.Do(ctx, chromedp.Navigate(o.url)); err != nil {
			return nil, err
		}
		return chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(list, api), chromedp.EvalAwaitPromise))
	}
	if _, err := signIn(ctx, o, o.url); err != nil {
		return err
	}
	if out.Before, err = names(); err != nil {
		return stuck(ctx, o, "the list of notebooks", err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(origin+at)); err != nil {
		return stuck(ctx, o, "the notebook", err)
	}
	out.Notebook = look(ctx, o.out, "4-notebook")
	for _, name := range []string{"a kernel's WebSocket", "its API", "saving", "reading it back", "a cookie of its own"} {
		came, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(works[name], at), chromedp.EvalAwaitPromise))
		if err != nil {
			came = err.Error()
		}
		out.Works[name] = came
	}
	if out.Works["a download"], err = download(ctx, at); err != nil {
		return stuck(ctx, o, "a download", err)
	}
	notebooks, err := url.Parse(out.Notebook.URL)
	if err != nil {
		return err
	}
	there := (&url.URL{Scheme: notebooks.Scheme, Host: notebooks.Host}).String()
	if err := attack(ctx, o, &out, origin, there, at); err != nil {
		return err
	}
	if out.After, err = names(); err != nil {
		return stuck(ctx, o, "the list of notebooks afterwards", err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(there+"/oauth2/sign_out?rd=%2Fjupyter%2F"), chromedp.WaitVisible(button)); err != nil {
		return stuck(ctx, o, "signing out", err)
	}
	out.Out = look(ctx, o.out, "5-signed-out")
	if _, err := signIn(ctx, o, there+at); err != nil {
		return err
	}
	out.Again = look(ctx, o.out, "6-notebook-again")
	// The last thing, since nothing works after it.
	toss := `document.cookie = "oauth2_proxy_kubeflow=theirs; path=/jupyter"`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[string](toss)); err != nil {
		return stuck(ctx, o, "another session", err)
	}
	response, err := chromedp.RunResponse(ctx, chromedp.Navigate(o.url))
	if err != nil {
		return stuck(ctx, o, "the web app with another session", err)
	}
	out.Tossed = int(response.Status)
	return json.NewEncoder(os.Stdout).Encode(out)
}

// attack has the notebook serve the hostile page, opens it and waits until it has tried all.
func attack(ctx context.Context, o options, out *separation, origin, notebooks, at string) error {
	put := fmt.Sprintf(`fetch(%q, {method: "PUT", body: %s}).then(a => a.status)`, at+"memory", quoted(hostile))
	if status, err := chromedp.Run(ctx, chromedp.Evaluate[int](put, chromedp.EvalAwaitPromise)); err != nil || status != 200 {
		return stuck(ctx, o, "the hostile page", fmt.Errorf("%d (%w)", status, err))
	}
	query := url.Values{"app": {origin}, "namespace": {o.namespace}, "victim": {o.victim}, "image": {o.image}}
	// Only a click lets a page open windows.
	if err := chromedp.Do(ctx, chromedp.Navigate(notebooks+at+"memory?"+query.Encode()), chromedp.Click("#go")); err != nil {
		return stuck(ctx, o, "the hostile page", err)
	}
	tried, err := chromedp.Run(ctx, chromedp.Poll[map[string]string]("window.tried", chromedp.WithPollingInterval(200*time.Millisecond), chromedp.WithPollingTimeout(45*time.Second)))
	if err != nil {
		return stuck(ctx, o, "what the hostile page has tried", err)
	}
	out.Tried = tried
	tree, err := chromedp.Call(ctx, page.GetFrameTree, struct{}{})
	if err != nil {
		return err
	}
	for _, f := range tree.FrameTree.ChildFrames {
		if f.Frame.UnreachableURL == "" {
			out.Framed = append(out.Framed, f.Frame.URL)
		}
	}
	look(ctx, o.out, "4-hostile")
	return nil
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // of a string, which cannot fail
	return string(text)
}

// download saves a file by a link, as JupyterLab does, and says how large it is.
func download(ctx context.Context, at string) (string, error) {
	dir, err := os.MkdirTemp("", "download")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir}); err != nil {
		return "", err
	}
	click := fmt.Sprintf(`(() => { const a = document.createElement("a"); a.href = %q; a.download = "file.json"; document.body.appendChild(a); a.click(); return "clicked" })()`, at+"echo")
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[string](click)); err != nil {
		return "", err
	}
	for ctx, end := context.WithTimeout(ctx, time.Minute); ; {
		if text, err := os.ReadFile(dir + "/file.json"); err == nil && json.Valid(text) {
			end()
			return "saved", nil
		}
		select {
		case <-ctx.Done():
			end()
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
