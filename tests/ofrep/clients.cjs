// The official OpenFeature providers for JavaScript, told what to do by lines of JSON on stdin and
// answering by lines of JSON on stdout. argv: the folder with node_modules, the address, a token.
"use strict";
const path = require("node:path");
const readline = require("node:readline");

const [modules, baseUrl, token] = process.argv.slice(2);
const from = (name) => require(require.resolve(name, { paths: [path.resolve(modules)] }));

// What a browser has and Node has not: enough of it for the provider.
class EventSource extends EventTarget {
  constructor(url) {
    super();
    this.readyState = 0;
    this.ended = new AbortController();
    this.run(url).catch(() => {
      this.readyState = 2;
      this.dispatchEvent(new Event("error"));
    });
  }
  async run(url) {
    const answer = await fetch(url, { signal: this.ended.signal });
    if (answer.status !== 200) throw new Error(`${answer.status}`);
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
    let text = "";
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
      const events = (text + part).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.match(/^data: (.*)$/m);
        if (data) this.dispatchEvent(new MessageEvent("message", { data: data[1] }));
      }
    }
    throw new Error("the stream ended");
  }
  close() {
    this.readyState = 2;
    this.ended.abort();
  }
}
globalThis.EventSource = EventSource;

const say = (told) => process.stdout.write(JSON.stringify(told) + "\n");
const authorization = [["Authorization", `Bearer ${token}`]];
const NAMED = { string: "getStringDetails", integer: "getNumberDetails", float: "getNumberDetails",
  boolean: "getBooleanDetails", object: "getObjectDetails" };

const server = from("@openfeature/server-sdk");
const { OFREPProvider } = from("@openfeature/ofrep-provider");
const web = from("@openfeature/web-sdk");
const { OFREPWebProvider } = from("@openfeature/ofrep-web-provider");

const statuses = [];
const watched = async (...asked) => {
  const answer = await fetch(...asked);
  statuses.push(answer.status);
  return answer;
};

const DO = {
  async server() {
    await server.OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: authorization }));
    return "ready";
  },
  async ask({ type, key, value, context }) {
    return server.OpenFeature.getClient()[NAMED[type]](key, value, context);
  },
  async web({ options, context }) {
    await web.OpenFeature.setContext(context);
    const provider = new OFREPWebProvider({ baseUrl, headers: authorization, cacheMode: "disabled",
      fetchImplementation: watched, ...options });
    web.OpenFeature.clearHandlers();
    await web.OpenFeature.setProviderAndWait(provider);
    web.OpenFeature.addHandler(web.ProviderEvents.ConfigurationChanged, (event) =>
      say({ changed: event.flagsChanged }));
    return "ready";
  },
  async read({ type, key, value }) {
    return web.OpenFeature.getClient()[NAMED[type]](key, value);
  },
  async statuses() {
    return statuses.splice(0);
  },
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const asked = JSON.parse(line);
  try {
    say({ answer: await DO[asked.do](asked) });
  } catch (error) {
    say({ failed: `${error}` });
  }
}).on("close", () => process.exit(0));
