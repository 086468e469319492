// A page for the namespace selector: as much of a browser as the script touches. Reads
// {script, user, namespaces, status, stored, storageBroken, pick} from standard input and
// writes what the page was told, what it shows and what is remembered.
"use strict";
const vm = require("node:vm");

function element(name) {
  return { name, style: {}, attributes: {}, children: [],
    setAttribute(key, value) { this.attributes[key] = value; },
    appendChild(child) { this.children.push(child); if (child.selected) this.value = child.value; } };
}

async function main() {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const given = JSON.parse(input);
  const stored = given.stored || {}, selected = [], requested = [];
  const body = element("body"), window = {};
  vm.runInNewContext(given.script, {
    window,
    document: { body, createElement: element },
    localStorage: {
      getItem(key) { if (given.storageBroken) throw new Error("denied"); return key in stored ? stored[key] : null; },
      setItem(key, value) { if (given.storageBroken) throw new Error("denied"); stored[key] = value; },
    },
    fetch: async (url) => {
      requested.push(url);
      return { ok: given.status === 200, status: given.status, json: async () => ({ user: given.user, namespaces: given.namespaces }) };
    },
  });
  window.centraldashboard.CentralDashboardEventHandler.init((page, framed) => {
    if (framed) throw new Error("there is no frame");
    page.onNamespaceSelected = (name) => selected.push(name);
  });
  await new Promise(setImmediate);
  const bar = body.children[0], list = bar && bar.children[0];
  if (given.pick) { list.value = given.pick; list.onchange(); }
  process.stdout.write(JSON.stringify({
    selected, requested, stored,
    offered: list ? list.children.map((o) => o.textContent) : [],
    signOut: bar ? bar.children[1].href : "",
  }));
}
main().catch((e) => { console.error(e); process.exit(1); });
