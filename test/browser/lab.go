package main

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// worked is what a person has seen who works in JupyterLab.
type worked struct {
	// Lab is the page that Connect leads to, Run the one after the cell has run.
	Lab seen `json:"lab"`
	Run seen `json:"run"`
	// Output of the cell.
	Output string `json:"output"`
}

// What JupyterLab's page is made of.
const (
	launcher = `.jp-LauncherCard[data-category="Notebook"]`
	editor   = `.jp-Notebook .jp-CodeCell .cm-content`
)

// idle tells that the notebook's kernel is there and has nothing to do, as its status bar says it.
const idle = `/\| Idle/.test(document.body.innerText)`

// output is the text of the first cell's output, once its kernel is idle again.
const output = `(() => {
	const out = document.querySelector(".jp-Notebook .jp-OutputArea-output"), prompt = document.querySelector(".jp-Notebook .jp-InputPrompt");
	return out && prompt && /\d/.test(prompt.innerText) ? out.innerText.trim() : "";
})()`

// lab logs somebody in, opens a notebook server, and runs a cell there as a person does: the
// launcher's card for a new notebook, the keys, Shift and Enter.
func lab(ctx context.Context, o options) error {
	var out worked
	app, err := url.Parse(o.url)
	if err != nil {
		return err
	}
	if _, err := signIn(ctx, o, o.url); err != nil {
		return err
	}
	// Without what was open the last time, which JupyterLab would open again.
	at := (&url.URL{Scheme: app.Scheme, Host: app.Host, Path: "/notebook/" + o.namespace + "/" + o.notebook + "/lab", RawQuery: "reset"}).String()
	if err := chromedp.Do(ctx, chromedp.Navigate(at), chromedp.WaitVisible(launcher)); err != nil {
		return stuck(ctx, o, "JupyterLab", err)
	}
	out.Lab = look(ctx, o.out, "4-lab")
	if err := chromedp.Do(ctx, chromedp.Click(launcher), chromedp.WaitVisible(editor)); err != nil {
		return stuck(ctx, o, "a new notebook", err)
	}
	// What is run before there is a kernel is not run.
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](idle, chromedp.WithPollingInterval(200*time.Millisecond), chromedp.WithPollingTimeout(time.Minute))); err != nil {
		return stuck(ctx, o, "the kernel", err)
	}
	if err := chromedp.Do(ctx, chromedp.Click(editor),
		chromedp.KeyEvent(o.cell), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift))); err != nil {
		return stuck(ctx, o, "a cell", err)
	}
	out.Output, err = chromedp.Run(ctx, chromedp.Poll[string](output, chromedp.WithPollingInterval(200*time.Millisecond), chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		return stuck(ctx, o, "the cell's output", err)
	}
	out.Run = look(ctx, o.out, "5-cell")
	return json.NewEncoder(os.Stdout).Encode(out)
}
