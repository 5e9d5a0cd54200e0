// The simulated WeChat: its server as a program, its phones through the admin API.
import { Program } from "./process.mjs";

// Generous: the first turn of a gateway takes 15 s on an idle machine.
const WAIT_MS = 120_000;

/**
 * Starts the simulator on a free port; it ends with us.
 *
 * @param {string} binary
 * @param {string[]} [network] what of the network before it is wanted: `--tls=…`, `--proxy`, `--dns …`
 */
export async function startSimulator(binary, network = []) {
  const program = new Program("ilink-sim", binary, ["--addr", "127.0.0.1:0", "--exit-on-stdin-eof", ...network]);
  const line = await program.waitForLine(/listening on http/, { ms: 20_000 });
  const [, url, token] = line.match(/listening on (\S+?)\/?\s.*#token=(\S+)/) ?? [];
  if (!token) throw new Error(`ilink-sim printed no link with a token: ${line}`);
  return new Simulator(program, url, token);
}

/** Message ids are above 2^53: as numbers they would be other ones. */
function keepIds(_, value, { source } = {}) {
  return typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(source ?? "") ? source : value;
}

class Simulator {
  constructor(program, url, token) {
    this.program = program;
    this.url = url;
    this.token = token;
  }

  async admin(path, { method = "GET", body } = {}) {
    const response = await fetch(`${this.url}/_sim/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = JSON.parse(await response.text(), keepIds);
    if (!response.ok) throw new Error(`simulator: ${method} ${path}: ${answer.error}`);
    return answer;
  }

  /** A person's phone: scans, confirms, writes and reads. */
  phone(user) {
    const path = `phones/${encodeURIComponent(user)}`;
    return {
      user,
      /** Scans the login code that is shown, as soon as there is one; `confirm` returns the new bot. */
      scan: async () => {
        const codes = await this.admin(`qrcodes?wait_ms=${WAIT_MS}`);
        const code = codes.at(-1);
        if (!code) throw new Error(`simulator: no login code appeared within ${WAIT_MS} ms`);
        const use = (action) =>
          this.admin(`qrcodes/${encodeURIComponent(code.qrcode)}/${action}?user=${encodeURIComponent(user)}`, {
            method: "POST",
          });
        await use("scan");
        const confirm = async () => {
          for (;;) {
            const { version } = await this.admin("state");
            try {
              return (await use("confirm")).bot;
            } catch (error) {
              // A phone that has shown digits confirms only after the computer has told the server.
              if (!/needs its verify code/.test(error.message)) throw error;
              await this.admin(`state?after=${version}&wait_ms=${WAIT_MS}`);
            }
          }
        };
        return { confirm };
      },
      /** Shows digits when it scans, which the computer then asks for. */
      setVerifyCode: (code) => this.admin(path, { method: "PATCH", body: { verify_code: code } }),
      /** Writes to a bot; returns the message's id. */
      send: async (text, bot) =>
        (await this.admin(`${path}/messages?bot_id=${encodeURIComponent(bot.bot_id)}`, {
          method: "POST",
          body: { kind: "text", text },
        })).message_id,
      /** Sends a picture. */
      sendImage: async (bytes, bot) =>
        this.admin(`${path}/messages?bot_id=${encodeURIComponent(bot.bot_id)}`, {
          method: "POST",
          body: { kind: "image", data: bytes.toString("base64") },
        }),
      /** Sends a message of any kind that the admin API knows. */
      sendAny: async (message, bot) =>
        this.admin(`${path}/messages?bot_id=${encodeURIComponent(bot.bot_id)}`, { method: "POST", body: message }),
      /** All that was written here, from either side. */
      chat: async () => (await this.admin(`${path}/chat`)).entries,
      /** How far the chat is; messages after it are new. */
      mark: async () => (await this.admin(`${path}/chat`)).next,
      /** The first message to this phone after `mark` that matches. */
      waitFor: async (pattern, mark, kind = "text") => {
        const deadline = Date.now() + WAIT_MS;
        let after = mark;
        const seen = [];
        while (Date.now() < deadline) {
          const { entries, next } = await this.admin(`${path}/chat?after=${after}&wait_ms=${deadline - Date.now()}`);
          for (const entry of entries.filter((entry) => entry.from_bot)) {
            seen.push(entry.text ?? entry.kind);
            if (entry.kind === kind && pattern.test(entry.text ?? "")) return entry;
          }
          after = next;
        }
        throw new Error(`no message ${pattern} reached ${user} within ${WAIT_MS} ms; it got ${JSON.stringify(seen)}`);
      },
      /** All texts to this phone after `mark`. */
      texts: async (mark) =>
        (await this.admin(`${path}/chat?after=${mark}`)).entries.filter((entry) => entry.from_bot).map(({ text }) => text),
      /** All typing signs so far, once the last of them has been taken back. */
      typingUntilItEnds: async () => {
        for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; ) {
          const { version } = await this.admin("state");
          const { typing_events: events } = await this.admin(`${path}/chat`);
          if (events.at(-1)?.typing === false) return events;
          await this.admin(`state?after=${version}&wait_ms=1000`);
        }
        throw new Error(`${user} still sees typing after ${WAIT_MS} ms`);
      },
    };
  }

  /** Waits until somebody polls for this bot, or nobody does any more; tells how long it took. */
  async waitForPoll(bot, { ms = WAIT_MS, polling = true } = {}) {
    const start = Date.now();
    let version = 0;
    while (Date.now() - start < ms) {
      const state = await this.admin(`state?after=${version}&wait_ms=${ms - (Date.now() - start)}`);
      const polls = state.bots.find(({ bot_id }) => bot_id === bot.bot_id)?.polling ?? 0;
      if (polls > 0 === polling) return Date.now() - start;
      version = state.version;
    }
    throw new Error(`${polling ? "nobody" : "somebody still"} polled for ${bot.bot_id} after ${ms} ms`);
  }

  /** Waits until an endpoint has been asked more than `count` times. */
  async waitForRequest(endpoint, count, ms = WAIT_MS) {
    for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
      const { version } = await this.admin("state");
      if ((await this.requests(endpoint)) > count) return;
      await this.admin(`state?after=${version}&wait_ms=${deadline - Date.now()}`);
    }
    throw new Error(`nobody asked ${endpoint} within ${ms} ms`);
  }

  /** The next `times` requests to an endpoint go wrong. */
  fault(endpoint, fault, times = 1) {
    return this.admin("faults", { method: "POST", body: { endpoint, fault, times } });
  }

  /** From now on none does. */
  clearFaults() {
    return this.admin("faults", { method: "DELETE" });
  }

  /** The network before the simulator: addresses, the certificate to trust, connections so far. */
  network() {
    return this.admin("network");
  }

  /** What goes wrong on the way to the simulator from now on; nothing without an argument. */
  networkFault(fault) {
    return fault ? this.admin("network/fault", { method: "PUT", body: fault }) : this.admin("network/fault", { method: "DELETE" });
  }

  /** Ends all connections under the real names; new ones work, or meet the fault that is set. */
  cutConnections() {
    return this.admin("network/connections", { method: "DELETE" });
  }

  /** How often an endpoint has been asked. */
  async requests(endpoint) {
    return (await this.admin(`requests?endpoint=${endpoint}`)).length;
  }

  /** A login without a QR code: the bot with its token. */
  addBot(user) {
    return this.admin("bots", { method: "POST", body: { user } });
  }

  /** Where our requests differed from the protocol. */
  deviations() {
    return this.admin("deviations");
  }

  async close() {
    this.program.child.stdin.end();
    await this.program.exited;
  }
}
