// The host's side and the addon's side of the plugin, as small as the tests need them.

/** A log that remembers. */
export function fakeLog() {
  const lines = [];
  const at = (level) => (message) => lines.push(`${level}: ${message}`);
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A message port whose methods are answered by `answers[method](params)`; calls are remembered. */
export function fakePort(answers = {}) {
  const calls = [];
  return {
    calls,
    released: 0,
    called(method) {
      return calls.filter((call) => call.method === method).map((call) => call.params);
    },
    async call(method, params) {
      calls.push({ method, params });
      return answers[method]?.(params) ?? {};
    },
    async release() {
      this.released += 1;
    },
  };
}

/** The host's channel helpers; `reply(deliver)` plays the agent. */
export function fakeChannelRuntime({ reply = async () => {}, storeAllowFrom = [], pairing } = {}) {
  return {
    pairing: {
      readAllowFromStore: async () => storeAllowFrom,
      upsertPairingRequest: async () => pairing ?? { code: "CODE1234", created: true },
      buildPairingReply: ({ code }) => `pairing code ${code}`,
    },
    routing: { resolveAgentRoute: () => ({ agentId: "main", sessionKey: "s", mainSessionKey: "m" }) },
    media: { saveMediaBuffer: async () => ({ path: "/store/a" }) },
    session: { resolveStorePath: () => "store", recordInboundSession: async () => {} },
    reply: {
      finalizeInboundContext: (context) => context,
      createReplyDispatcherWithTyping: (options) => ({
        dispatcher: options,
        replyOptions: { onReplyStart: options.onReplyStart },
        markDispatchIdle: () => options.onIdle(),
      }),
      withReplyDispatcher: ({ run }) => run(),
      dispatchReplyFromConfig: async ({ ctx, cfg, dispatcher, replyOptions }) => {
        await replyOptions.onReplyStart();
        await reply(dispatcher.deliver, { ctx, cfg, replyOptions });
      },
    },
  };
}
