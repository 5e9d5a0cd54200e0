// A stub of an OpenAI-compatible chat-completions server: answers "reply N: TEXT" to the last user message.
import { createServer } from "node:http";

/**
 * Starts it on a free loopback port. `requests` holds what was asked.
 *
 * @param {object} [options]
 * @param {number} [options.thinkMs] how long it thinks before it answers
 */
export async function startModel({ thinkMs = 0 } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "GET") return json(response, { object: "list", data: [{ id: "stub", object: "model" }] });
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      requests.push(body);
      const asked = lastUserText(body.messages);
      const text = answers.shift() ?? `reply ${requests.length}: ${asked}`;
      const answer = () => {
        if (body.stream) stream(response, body, text);
        else json(response, completion(body, text));
      };
      setTimeout(() => void held.then(answer), thinkMs);
      for (const tell of asking.splice(0)) tell(asked);
    });
  });
  /** What it says next, before it repeats questions again: texts, or `{ tool, args }`, a tool to call. */
  const answers = [];
  const asking = [];
  let held = Promise.resolve();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    requests,
    answers,
    /** The next question, when it is asked. */
    asked: () => new Promise((resolve) => asking.push(resolve)),
    /** From now on nothing is answered until the returned function is called. */
    hold() {
      let release;
      held = new Promise((resolve) => (release = resolve));
      return () => release();
    },
    baseUrl: `http://127.0.0.1:${server.address().port}/v1`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const USAGE = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

/** What the person wrote. Hosts of all ages put the time, the message's id, facts about the sender in fenced JSON or
 * a paragraph about the runtime around it, or send such context as further messages of the user. */
function lastUserText(messages) {
  const texts = messages
    .filter((message) => message.role === "user")
    .map(({ content }) => (typeof content === "string" ? content : content.map((part) => part.text ?? "").join("\n")))
    .filter((text) => !/^(<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT|OpenClaw runtime context)/.test(text));
  const own = (texts.at(-1) ?? "")
    .replace(/^[^\n]*\(untrusted[^\n]*\):\n```json\n.*?\n```\n*/gms, "")
    .replace(/^\[message_id: .*\]$/gm, "")
    .replace(/^(\[[^\]]*\]\s+)+/, "");
  return own.trim().split("\n\n")[0].trim();
}

let calls = 0;

function toolCall({ tool, args }) {
  return { id: `call_${(calls += 1)}`, type: "function", function: { name: tool, arguments: JSON.stringify(args) } };
}

function completion(body, answer) {
  const isText = typeof answer === "string";
  const message = isText ? { content: answer } : { content: null, tool_calls: [toolCall(answer)] };
  return {
    id: "stub",
    object: "chat.completion",
    created: 0,
    model: body.model,
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: isText ? "stop" : "tool_calls" }],
    usage: USAGE,
  };
}

function stream(response, body, text) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (choice, usage) =>
    response.write(
      `data: ${JSON.stringify({
        id: "stub",
        object: "chat.completion.chunk",
        created: 0,
        model: body.model,
        choices: choice ? [{ index: 0, ...choice }] : [],
        ...(usage ? { usage } : {}),
      })}\n\n`,
    );
  send({ delta: { role: "assistant", content: "" }, finish_reason: null });
  if (typeof text === "string") {
    for (const part of text.match(/.{1,8}/gsu) ?? []) send({ delta: { content: part }, finish_reason: null });
  } else send({ delta: { tool_calls: [{ index: 0, ...toolCall(text) }] }, finish_reason: null });
  send({ delta: {}, finish_reason: typeof text === "string" ? "stop" : "tool_calls" });
  send(undefined, USAGE);
  response.end("data: [DONE]\n\n");
}

function json(response, value) {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
