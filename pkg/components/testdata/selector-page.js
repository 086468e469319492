// A page for the namespace selector: as much of a browser as the script touches. Reads
// {script, user, namespaces, shared, status, stored, storageBroken, pick} from standard input and
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
    setTimeout: (f) => setImmediate(f),
    fetch: async (url, how) => {
      requested.push((how && how.method ? how.method + " " : "") + url);
      if (how && how.method === "POST") {
        if (given.made) given.namespaces = given.made;
        return { ok: !!given.made, status: given.made ? 200 : 403 };
      }
      if (url === "/oauth2/userinfo") return { ok: true, status: 200, json: async () => ({ user: "subject", email: given.user }) };
      const of = (role) => (name) => ({ user: { kind: "User", name: given.user }, referredNamespace: name, roleRef: { kind: "ClusterRole", name: role } });
      const bindings = (given.shared || []).map(of("edit")).concat((given.namespaces || []).map(of("admin")));
      return { ok: given.status === 200, status: given.status, json: async () => ({ bindings: given.empty || bindings.length ? bindings : null }) };
    },
  });
  window.centraldashboard.CentralDashboardEventHandler.init((page, framed) => {
    if (framed) throw new Error("there is no frame");
    page.onNamespaceSelected = (name) => selected.push(name);
  });
  for (let i = 0; i < 99; i++) await new Promise(setImmediate);
  const bar = body.children[0], list = bar && bar.children[0];
  if (given.pick) { list.value = given.pick; list.onchange(); }
  process.stdout.write(JSON.stringify({
    selected, requested, stored,
    offered: list ? list.children.map((o) => o.textContent) : [],
    said: list && list.textContent || "",
    signOut: bar ? bar.children[1].href : "",
  }));
}
main().catch((e) => { console.error(e); process.exit(1); });
